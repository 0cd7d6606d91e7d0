"""What a picture does to the process that reads it ends neither the run nor its neighbours."""

import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image

from numeral.errors import UsageError
from numeral.files import File, find
from numeral.workers import Workers
from tests.harness import ROOT, Digits, png
from tests.numeral.harness import save_digits

OPTIONS: dict[str, Any] = {"precision": "auto", "models_dir": None}

# The real process, but for a decoder that a picture with this in it brings down.
DEADLY = b"deadly"
FRAGILE = f"""#!{sys.executable}
import os, signal, sys
import numeral.reader, numeral.worker
prepare = numeral.reader.prepare
def fragile(content, wanted):
    if {DEADLY!r} in content:
        os.kill(os.getpid(), signal.SIGSEGV)
    return prepare(content, wanted)
numeral.reader.prepare = fragile
numeral.worker.main(sys.argv[3:])
"""


@pytest.fixture
def workers() -> Iterator[Workers]:
    started = Workers(1, OPTIONS, explain=False)
    started.start()
    yield started
    started.close()


def processes() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "numeral.worker" in child.cmdline()]


def scans(folder: Path, digits: Digits, count: int = 5) -> list[File]:
    save_digits(folder, digits, count)
    return find([str(folder)])


def test_a_picture_that_brings_its_decoder_down_is_a_row(
    digits: Digits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = scans(tmp_path / "scans", digits)
    (tmp_path / "scans/00003.png").write_bytes(DEADLY)
    fragile = tmp_path / "fragile"
    fragile.write_text(FRAGILE)
    fragile.chmod(0o755)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setattr("sys.executable", str(fragile))
    started = Workers(1, OPTIONS, explain=False)
    started.start()
    try:
        rows = started.read(files)
        assert [row["error"] for row in rows] == [None, None, None, "the image brings its decoder down", None]
        assert [row["file"] for row in rows] == [file.name for file in files]
        assert rows[3]["model"] == rows[0]["model"]
    finally:
        started.close()


@pytest.mark.parametrize("count", [1, 3])
def test_one_that_is_killed_from_outside_takes_no_picture_along(
    workers: Workers, digits: Digits, tmp_path: Path, count: int
) -> None:
    files = scans(tmp_path / "scans", digits, count)
    expected = workers.read(files)
    (process,) = processes()
    process.suspend()
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(workers.read, files)
        time.sleep(0.1)
        process.send_signal(signal.SIGKILL)
        assert reading.result(timeout=120) == expected
    assert processes() != [process]


def test_the_largest_pictures_have_enough_memory(workers: Workers, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for index in range(4):
        (tmp_path / f"{index}.png").write_bytes(png(Image.new("RGBA", (4000, 4000))))
    Image.fromarray(rng.integers(0, 256, (4000, 4000, 3), np.uint8)).save(tmp_path / "noise.bmp")
    (process,) = processes()
    rows = workers.read(find([str(tmp_path)]))
    assert [row["error"] for row in rows] == [None] * 5
    assert processes() == [process]


def test_a_picture_of_too_many_pixels_is_a_row(workers: Workers, tmp_path: Path) -> None:
    (tmp_path / "large.png").write_bytes(png(Image.new("1", (5000, 5000))))
    (row,) = workers.read(find([str(tmp_path)]))
    assert "16,000,000" in row["error"]


def test_a_process_that_cannot_start_is_said_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="model 'vgg' is unknown"):
        Workers(1, {**OPTIONS, "model": "vgg"}, explain=False).start()
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(UsageError, match="a process that reads pictures does not start"):
        Workers(1, OPTIONS, explain=False).start()
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    with pytest.raises(UsageError, match="no process can be started"):
        Workers(1, OPTIONS, explain=False).start()
    assert processes() == []


def test_what_is_closed_leaves_no_process(workers: Workers) -> None:
    assert len(processes()) == 1
    workers.close()
    assert processes() == []
