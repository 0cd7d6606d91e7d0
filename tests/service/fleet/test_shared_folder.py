"""What a server that was killed has left is taken away, and what a living one holds is not."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.fleet.shared_folder import LOCK, is_held, sweep
from tests.harness import ROOT

HOLDER = """
import sys
from pathlib import Path
from service.fleet.shared_folder import hold
hold(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[tuple[Path, "subprocess.Popen[str]"]]:
    """A folder, and the process that holds it."""
    folder = tmp_path / "numeral-held"
    folder.mkdir()
    command = [sys.executable, "-c", HOLDER, str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield folder, process
        process.kill()


def test_it_is_held_as_long_as_its_process_lives(holder: tuple[Path, "subprocess.Popen[str]"]) -> None:
    folder, process = holder
    (folder / "board").write_bytes(b"x")
    sweep(folder.parent)
    assert is_held(folder)
    assert (folder / "board").exists()
    process.kill()
    process.wait(timeout=10)
    assert not is_held(folder)
    sweep(folder.parent)
    assert not folder.exists()


def test_a_process_that_is_started_meanwhile_does_not_hold_it(tmp_path: Path) -> None:
    """A worker outlives its supervisor for a moment."""
    script = """
import os, subprocess, sys
from pathlib import Path
from service.fleet.shared_folder import hold
hold(Path(sys.argv[1]))
child = subprocess.Popen(["sleep", "60"], close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(child.pid, flush=True)
"""
    ended = subprocess.run([sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, capture_output=True, check=True)
    assert not is_held(tmp_path)
    os.kill(int(ended.stdout), 9)


def test_what_is_no_folder_of_ours_stays(tmp_path: Path) -> None:
    """Whoever can write to /dev/shm chooses names there."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    abandon(elsewhere)
    (tmp_path / "numeral-link").symlink_to(elsewhere)
    (tmp_path / "numeral-file").write_bytes(b"")
    (tmp_path / "numeral-begun").mkdir()  # by one that has not locked it yet
    (tmp_path / "other").mkdir()
    abandon(tmp_path / "other")
    before = sorted(tmp_path.rglob("*"))
    sweep(tmp_path)
    assert sorted(tmp_path.rglob("*")) == before


def abandon(folder: Path) -> None:
    (folder / LOCK).touch()


def test_a_folder_of_another_user_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "numeral-theirs"
    folder.mkdir()
    abandon(folder)
    monkeypatch.setattr("service.fleet.shared_folder.os.geteuid", lambda: os.getuid() + 1)
    sweep(tmp_path)
    assert folder.exists()
    monkeypatch.undo()
    sweep(tmp_path)
    assert not folder.exists()
