"""`numeral read` as a process: what it prints, its exit codes, and what is left when it is ended in the middle."""

import csv
import json
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from tests.harness import ROOT, Digits, png
from tests.numeral.harness import COMMAND, begun, environment, numeral, save_digits

PHOTO = ROOT / "digit.png"


def rows_of(output: bytes) -> list[dict[str, object]]:
    return [json.loads(line) for line in output.splitlines()]


def test_files_folders_and_patterns_in_their_order(digits: Digits, tmp_path: Path) -> None:
    names = save_digits(tmp_path / "scans", digits, 40)
    (tmp_path / "notes.txt").write_text("text")
    result = numeral("read", "notes.txt", "scans", "scans/0000[12].png", PHOTO, "nowhere.png", "--jsonl", cwd=tmp_path)
    rows = rows_of(result.stdout)
    scans = [f"scans/{name}" for name in names]
    assert [row["file"] for row in rows] == ["notes.txt", *scans, *scans[1:3], str(PHOTO), "nowhere.png"]
    assert [row["digit"] for row in rows[1:41]] == [int(digits.labels[index * 7]) for index in range(40)]
    assert str(rows[0]["error"]).startswith("the file is plain text")
    assert rows[-1]["error"] == "the file cannot be read: No such file or directory"
    assert result.returncode == 1
    accepted = sum(bool(row["accepted"]) for row in rows)
    assert f"45 files: {accepted} accepted, {43 - accepted} not, 2 unreadable" in result.stderr.decode()


def test_lines_for_people(digits: Digits, tmp_path: Path) -> None:
    (tmp_path / "seven.png").write_bytes(png(digits.pick(7)))
    (tmp_path / "b\x1b[2J.png").write_bytes(b"")
    odd = ROOT / "tests/digits/misclassified/none-3-read-as-8.png"
    result = numeral("read", "seven.png", "b\x1b[2J.png", odd, cwd=tmp_path)
    first, second, third = result.stdout.decode().splitlines()
    assert first.split()[:2] == ["seven.png", "7"]
    assert second.startswith("b\\x1b[2J.png ")
    assert "!  the file is empty" in second
    assert "? " in third
    assert "unsure: " in third


def test_a_picture_from_stdin_and_a_list_from_stdin(tmp_path: Path) -> None:
    (row,) = rows_of(numeral("read", "-", "--jsonl", cwd=tmp_path, stdin=PHOTO.read_bytes()).stdout)
    assert (row["file"], row["digit"]) == ("-", 2)
    listed = f"{PHOTO}\nnowhere.png\n".encode()
    rows = rows_of(numeral("read", "--files-from", "-", "--jsonl", cwd=tmp_path, stdin=listed).stdout)
    assert [row["file"] for row in rows] == [str(PHOTO), "nowhere.png"]


def test_a_table_and_an_array(tmp_path: Path) -> None:
    assert numeral("read", PHOTO, "--out", "out.csv", cwd=tmp_path).returncode == 0
    with (tmp_path / "out.csv").open(newline="") as table:
        (row,) = csv.DictReader(table)
    assert (row["digit"], row["accepted"], row["model"]) == ("2", "true", "googlenet")
    (row,) = json.loads(numeral("read", PHOTO, "--json", "--explain", "--model", "alexnet", cwd=tmp_path).stdout)
    assert row["model"]["name"] == "alexnet"
    assert {one["read"] for one in row["candidates"]} == {"2"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["*.gif"], "'*.gif' matches no file"),
        (["--files-from", "nowhere.txt"], "--files-from is 'nowhere.txt', which cannot be read"),
        (["--files-from", "-"], "there is nothing to read"),
        (["-", "-"], "- is given more than once"),
        ([str(PHOTO), "--csv", "--json"], "--csv and --json are given; choose one"),
        ([str(PHOTO), "--out", "out.txt"], "--out is 'out.txt'; choose --csv, --json or --jsonl"),
        ([str(PHOTO), "--out", "/dev/stdout", "--csv"], "/dev/stdout is a device or a pipe, and no file"),
        ([str(PHOTO), "--overwrite"], "--overwrite is for --out"),
        ([str(PHOTO), "--explain"], "--explain needs --json or --jsonl"),
        ([str(PHOTO), "--model", "vgg"], "model 'vgg' is unknown; allowed, as"),
        ([str(PHOTO), "--precision", "fp16"], "'fp16': input should be 'auto', 'fp32' or 'int8'"),
        ([str(PHOTO), "--models-dir", "nowhere"], "nowhere is no folder"),
        ([str(PHOTO), "--url", "http://localhost:1", "--processes", "2"], "are of this machine; a server has its own"),
        ([str(PHOTO), "--url", "ftp://localhost"], "--url is 'ftp://localhost'; allowed: http and https"),
        ([str(PHOTO), "--url", "http://localhost:x"], "--url is 'http://localhost:x': Invalid port"),
    ],
)
def test_what_makes_no_sense_is_one_line_and_a_2(arguments: list[str], said: str, tmp_path: Path) -> None:
    result = numeral("read", *arguments, cwd=tmp_path)
    assert result.returncode == 2, result
    (line,) = result.stderr.decode().splitlines()
    assert line.startswith("numeral: ")
    assert said in line
    assert result.stdout == b""


def end_within(process: "subprocess.Popen[bytes]", out: Path, sent: signal.Signals) -> list[psutil.Process]:
    """Sends it once rows are written. The processes that read for it."""
    while not (out.exists() and out.stat().st_size):
        assert process.poll() is None, process.communicate()
        time.sleep(0.001)
    children: list[psutil.Process] = psutil.Process(process.pid).children()
    process.send_signal(sent)
    return children


def whole_rows(kind: str, left: bytes) -> int:
    return left.count(b"\n") - (kind == "csv")


@pytest.mark.parametrize("kind", ["csv", "json", "jsonl"])
def test_killed_in_the_middle_it_goes_on_to_the_same_bytes(kind: str, digits: Digits, tmp_path: Path) -> None:
    save_digits(tmp_path / "scans", digits, 400, scale=8)
    for index in range(0, 400, 50):
        (tmp_path / f"scans/{index:05}.png").write_bytes(b"")
    names = [str(path.relative_to(tmp_path)) for path in sorted((tmp_path / "scans").glob("*.png"))]
    whole = numeral("read", "scans", "--out", f"whole.{kind}", cwd=tmp_path)
    assert whole.returncode == 1
    expected = (tmp_path / f"whole.{kind}").read_bytes()
    assert all(name.encode() in expected for name in names)

    out = tmp_path / f"out.{kind}"
    process = begun("read", "scans", "--out", out.name, cwd=tmp_path)
    readers = end_within(process, out, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    process.communicate()
    left = out.read_bytes()
    assert expected.startswith(left)
    assert 0 < len(left) < len(expected)
    _, alive = psutil.wait_procs(readers, timeout=30)
    assert not alive

    result = numeral("read", "scans", "--out", out.name, cwd=tmp_path)
    assert result.returncode == 1
    assert f"{out.name} has {whole_rows(kind, left)} of 400 files already; going on" in result.stderr.decode()
    assert out.read_bytes() == expected
    again = numeral("read", "scans", "--out", out.name, cwd=tmp_path)
    assert (again.returncode, out.read_bytes()) == (1, expected)
    assert f"{out.name} has 400 of 400 files already; there is nothing left to do" in again.stderr.decode()
    anew = numeral("read", "scans", "--out", out.name, "--overwrite", cwd=tmp_path)
    assert b"before" not in anew.stderr
    assert out.read_bytes() == expected


def test_ctrl_c_is_one_line_that_says_how_to_go_on(digits: Digits, tmp_path: Path) -> None:
    save_digits(tmp_path / "scans", digits, 400, scale=8)
    process = begun("read", "scans", "--out", "out.jsonl", cwd=tmp_path)
    readers = end_within(process, tmp_path / "out.jsonl", signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.decode().splitlines() == ["numeral: stopped; the same command goes on with it"]
    _, alive = psutil.wait_procs(readers, timeout=30)
    assert not alive


def test_who_stops_reading_ends_it_without_a_word(digits: Digits, tmp_path: Path) -> None:
    save_digits(tmp_path / "scans", digits, 400)
    command = f"{' '.join(COMMAND)} read scans --jsonl | head -1; exit ${{PIPESTATUS[0]}}"
    result = subprocess.run(["bash", "-c", command], cwd=tmp_path, env=environment(), capture_output=True)
    assert len(result.stdout.splitlines()) == 1
    assert (result.returncode, result.stderr) == (141, b"")


def test_a_full_disk_is_one_line_and_a_3(tmp_path: Path) -> None:
    command = [*COMMAND, "read", str(PHOTO), "--csv"]
    with Path("/dev/full").open("wb") as full:
        result = subprocess.run(command, cwd=tmp_path, env=environment(), stdout=full, stderr=subprocess.PIPE)
    assert result.returncode == 3
    assert result.stderr == b"numeral: stdout cannot be written: No space left on device\n"


def test_help_comes_without_a_network(tmp_path: Path) -> None:
    code = "import sys, numeral.command_line; print(*sys.modules)"
    loaded = subprocess.run(
        [*COMMAND[:1], "-c", code], cwd=tmp_path, env=environment(), capture_output=True, check=True
    )
    assert not {"numpy", "onnxruntime", "pydantic", "bentoml", "torch", "PIL"} & set(loaded.stdout.decode().split())
    result = numeral("--help", cwd=tmp_path)
    assert result.returncode == 0
    for said in (b"numeral read scans/ --out digits.csv", b"serve", b"models", b"--install-completion"):
        assert said in result.stdout
    assert b"130 Ctrl-C" in numeral("read", "--help", cwd=tmp_path).stdout
    assert numeral("--version", cwd=tmp_path).stdout.startswith(b"numeral 0.")
