"""A run that goes on ends with the bytes of one that was never ended, and leaves alone what is not its own."""

import errno
import fcntl
import io
import json
import os
from pathlib import Path

import pytest

from numeral.errors import UsageError
from numeral.files import File
from numeral.formats import FORMATS
from numeral.output import Done, Output, opened
from numeral.reader import Reader
from numeral.rows import Row
from tests.harness import ROOT, Digits, png

NAMES = ("a.png", 'quoted "b".png', "comma, c.png", "line\nfeed.png", "ß/]\n[.png", "none.png", "z.png")
FILES = [File(name, f"/{name}") for name in NAMES]


@pytest.fixture(scope="module")
def rows(digits: Digits) -> list[Row]:
    contents = [*(png(digits.pick(digit)) for digit in range(5)), b"text", (ROOT / "digit.png").read_bytes()]
    readings = Reader(provider="cpu").read_many(contents, explain=True)
    return [{**reading.as_row(), "file": name} for reading, name in zip(readings, NAMES, strict=True)]


def whole(format_name: str, rows: list[Row]) -> bytes:
    stream = io.BytesIO()
    output = Output(stream, FORMATS[format_name], "out")
    output.write(rows[:3])
    output.write(rows[3:])
    output.end()
    return stream.getvalue()


@pytest.mark.parametrize("format_name", FORMATS)
def test_it_goes_on_from_wherever_it_was_cut(format_name: str, rows: list[Row]) -> None:
    expected = whole(format_name, rows)
    counts = set()
    for cut in range(len(expected) + 1):
        stream = io.BytesIO(expected[:cut])
        output = Output(stream, FORMATS[format_name], "out")
        done = output.resume(FILES, rows[0]["model"])
        output.write(rows[done.rows :])
        output.end()
        assert stream.getvalue() == expected, f"cut behind byte {cut}"
        assert done.failed == sum(row["error"] is not None for row in rows[: done.rows])
        counts.add(done.rows)
    assert counts == set(range(len(rows) + 1))


@pytest.mark.parametrize("format_name", FORMATS)
@pytest.mark.parametrize(
    "content",
    [
        b"my thesis",
        b"my thesis\n",
        b"\n",
        b"[1, 2]\n",
        b'{"file": 3}\n',
        b'{"file":3}\n',
        b"a,b,c\n1,2,3\n",
        b"\0" * 99,
    ],
)
def test_what_is_not_its_own_it_leaves_as_it_is(format_name: str, content: bytes, rows: list[Row]) -> None:
    stream = io.BytesIO(content)
    with pytest.raises(UsageError, match=r"out is not of this command: .*--overwrite begins it anew"):
        Output(stream, FORMATS[format_name], "out").resume(FILES, rows[0]["model"])
    assert stream.getvalue() == content


@pytest.mark.parametrize("format_name", FORMATS)
def test_rows_with_something_else_between_are_not_its_own(format_name: str, rows: list[Row]) -> None:
    content = whole(format_name, rows).replace(b'"quoted', b'x"quoted').replace(b'"file":"quoted', b'"f":"quoted')
    stream = io.BytesIO(content)
    with pytest.raises(UsageError, match="not of this command"):
        Output(stream, FORMATS[format_name], "out").resume(FILES, rows[0]["model"])
    assert stream.getvalue() == content


@pytest.mark.parametrize("format_name", FORMATS)
def test_a_changed_list_is_refused_and_a_longer_one_goes_on(format_name: str, rows: list[Row]) -> None:
    def resume(files: list[File], model: dict[str, str] | None = None) -> Done:
        stream = io.BytesIO(whole(format_name, rows))
        return Output(stream, FORMATS[format_name], "out").resume(files, model or rows[0]["model"])

    assert resume([*FILES, File("zz.png", "/zz.png")]) == Done(rows=7, failed=1)
    with pytest.raises(UsageError, match="row 2 of it is 'quoted \"b\"\\.png', and of this list 'new\\.png'"):
        resume([FILES[0], File("new.png", "/new.png"), *FILES[1:]])
    with pytest.raises(UsageError, match="it has more rows than the 6 files of this list: 'z\\.png' is one more"):
        resume(FILES[:-1])
    with pytest.raises(UsageError, match=r"row 1 of it was read by googlenet .*, now googlenet fp32 0000"):
        resume(FILES, {**rows[0]["model"], "precision": "fp32", "sha256": "0000"})


def test_formats_of_another_name_are_not_mixed(rows: list[Row]) -> None:
    for written, asked in (("json", "jsonl"), ("jsonl", "json"), ("csv", "jsonl"), ("json", "csv")):
        with pytest.raises(UsageError, match="not of this command"):
            Output(io.BytesIO(whole(written, rows)), FORMATS[asked], "out").resume(FILES, rows[0]["model"])


def test_json_is_json(rows: list[Row]) -> None:
    assert json.loads(whole("json", rows)) == json.loads(json.dumps(rows))
    assert [json.loads(line) for line in whole("jsonl", rows).splitlines()] == json.loads(json.dumps(rows))


def test_two_runs_do_not_write_to_one_file(tmp_path: Path) -> None:
    path, nowhere = tmp_path / "out.csv", tmp_path / "no/out.csv"
    with opened(path), pytest.raises(UsageError, match="is being written by another run"), opened(path):
        pass
    with opened(path):
        pass
    with pytest.raises(UsageError, match="cannot be written: No such file or directory"), opened(nowhere):
        pass


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/null")):
        with pytest.raises(UsageError, match="is a device or a pipe, and no file; without --out"), opened(path):
            pass


def test_a_file_system_without_locks_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refused)
    with pytest.raises(UsageError, match="cannot be locked: No locks available"), opened(tmp_path / "out.csv"):
        pass
