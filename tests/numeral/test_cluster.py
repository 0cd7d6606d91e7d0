"""`numeral read --engine ray`, on a cluster of several nodes on this machine: the bytes of one, whatever dies."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import ROOT, Digits
from tests.numeral.harness import COMMAND, environment, numeral, save_digits

# Where Ray is installed: `make ray-test` says so.
RAY_PYTHON = os.environ.get("RAY_PYTHON")
WITH_RAY = pytest.mark.skipif(not RAY_PYTHON, reason="no environment with Ray: `make ray-test` makes one")

PHOTO = ROOT / "digit.png"

# Nothing listens to other machines, and workers are not less urgent than what else runs here.
QUIET = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}

# A table of all pictures of a folder, by name, in row groups of so many, with other names for its columns if any.
TABLE = """
import sys, pyarrow as pa
from pathlib import Path
from pyarrow import parquet
folder, target, rows, *names = sys.argv[1:]
paths = sorted(Path(folder).glob("*.png"))
columns = [[str(path) for path in paths], [path.read_bytes() for path in paths]]
parquet.write_table(pa.table(columns, names=names or ["id", "image"]), target, row_group_size=int(rows))
"""


def with_ray(*arguments: str, cwd: Path) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(command(*arguments), cwd=cwd, env={**environment(), **QUIET}, capture_output=True)


def command(*arguments: str) -> list[str]:
    return [str(RAY_PYTHON), *COMMAND[1:], "read", "--engine", "ray", *arguments]


def save_table(cwd: Path, *arguments: str) -> None:
    subprocess.run([str(RAY_PYTHON), "-c", TABLE, *arguments], cwd=cwd, check=True)


@pytest.fixture(scope="module")
def place(digits: Digits, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of pictures, some unreadable, and `one.csv`, what one machine reads of it."""
    folder = tmp_path_factory.mktemp("place")
    save_digits(folder / "scans", digits, 1500, scale=8)
    for index in range(0, 1500, 250):
        (folder / f"scans/{index:05}.png").write_bytes(b"" if index % 500 else b"no picture")
    assert numeral("read", "scans", "--out", "one.csv", cwd=folder).returncode == 1
    return folder


@pytest.fixture
def cluster() -> "Iterator[subprocess.Popen[str]]":
    """`tests/numeral/ray_cluster.py`, which has not said its address yet."""
    process = subprocess.Popen(
        [str(RAY_PYTHON), str(ROOT / "tests/numeral/ray_cluster.py")],
        env={**environment(), **QUIET},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    yield process
    process.communicate()


@WITH_RAY
def test_a_node_killed_in_the_middle_neither_loses_nor_doubles_a_row(
    place: Path, cluster: "subprocess.Popen[str]"
) -> None:
    assert cluster.stdin
    assert cluster.stdout
    address, out = cluster.stdout.readline().strip(), place / "cluster.csv"
    run = subprocess.Popen(
        command("scans", "--ray-address", address, "--out", out.name),
        cwd=place,
        env={**environment(), **QUIET},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    while not (out.exists() and out.stat().st_size):
        assert run.poll() is None, run.communicate()
        time.sleep(0.01)
    cluster.stdin.write("kill\n")
    cluster.stdin.flush()
    assert cluster.stdout.readline() == "killed\n"
    expected = (place / "one.csv").read_bytes()
    assert len(out.read_bytes()) < len(expected)
    _, said = run.communicate()
    assert run.returncode == 1, said
    assert b"1,500 files: " in said
    assert out.read_bytes() == expected


@WITH_RAY
def test_on_this_machine_alone_a_run_that_was_killed_goes_on_to_the_same_bytes(place: Path) -> None:
    out, expected = place / "alone.csv", (place / "one.csv").read_bytes()
    run = subprocess.Popen(
        command("scans", "--out", out.name), cwd=place, env={**environment(), **QUIET}, stderr=subprocess.PIPE
    )
    while not (out.exists() and out.stat().st_size):
        assert run.poll() is None, run.communicate()
        time.sleep(0.01)
    run.send_signal(signal.SIGKILL)
    run.communicate()
    assert expected.startswith(out.read_bytes())
    assert len(out.read_bytes()) < len(expected)
    result = with_ray("scans", "--out", out.name, cwd=place)
    assert (result.returncode, out.read_bytes()) == (1, expected), result.stderr
    first, second = result.stderr.decode().splitlines()
    assert "files already; going on with the others" in first
    assert second.startswith("numeral: ")


@WITH_RAY
def test_tables_are_read_row_by_row_as_files_are(place: Path) -> None:
    save_table(place, "scans", "scans.parquet", "1100")
    result = with_ray("scans.parquet", "--out", "table.csv", cwd=place)
    assert result.returncode == 1, result.stderr
    assert (place / "table.csv").read_bytes() == (place / "one.csv").read_bytes()


@WITH_RAY
def test_what_makes_no_sense_is_one_line_and_a_2(digits: Digits, tmp_path: Path) -> None:
    save_digits(tmp_path / "scans", digits, 3)
    save_table(tmp_path, "scans", "scans.parquet", "10")
    save_table(tmp_path, "scans", "named.parquet", "10", "file", "image")
    save_table(tmp_path, "scans", "swapped.parquet", "10", "image", "id")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    for arguments, said in (
        (
            ["named.parquet"],
            "has no column id, but file, image; needed: id (text or whole",
        ),
        (["swapped.parquet"], "the column id is of type binary; needed: id (text or whole numbers)"),
        (["broken.parquet"], "broken.parquet cannot be read as a table: "),
        (["nowhere.parquet"], "nowhere.parquet cannot be read as a table: "),
        (["scans.parquet", "scans"], "are read apart, and 'scans/00000.png' is no table"),
        (["scans", "--model", "vgg"], "model 'vgg' is unknown"),
        (["scans", "--ray-address", "127.0.0.1:1"], "no Ray cluster at '127.0.0.1:1': "),
    ):
        result = with_ray(*arguments, cwd=tmp_path)
        (line,) = result.stderr.decode().splitlines()
        assert said in line
        assert (result.returncode, result.stdout) == (2, b"")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--engine", "spark"], "--engine is 'spark'; allowed: local, ray"),
        (["--ray-address", "localhost:6379"], "--ray-address is for --engine ray"),
        (["--engine", "ray", "--url", "http://localhost:1"], "with --url the server does"),
    ],
)
def test_engines_that_make_no_sense(arguments: list[str], said: str, tmp_path: Path) -> None:
    result = numeral("read", str(PHOTO), *arguments, cwd=tmp_path)
    assert result.returncode == 2
    (line,) = result.stderr.decode().splitlines()
    assert said in line


def test_without_ray_the_extra_is_named(tmp_path: Path) -> None:
    """In an interpreter that finds none, wherever it is installed."""
    code = "import sys; sys.modules['ray'] = None; from numeral.command_line import main; main()"
    arguments = [sys.executable, "-c", code, "read", str(PHOTO), "--engine", "ray"]
    result = subprocess.run(arguments, cwd=tmp_path, env=environment(), capture_output=True)
    assert result.returncode == 2
    (line,) = result.stderr.decode().splitlines()
    assert line.endswith("the extra 'ray' brings it: pip install 'numeral[cpu,ray]'")
