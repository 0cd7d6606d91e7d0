"""How rows are written, and found again in what a run that was ended has left.

Each row ends its line, so that a half of one is known by having no end. A JSON array has a row a line too.
"""

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, NamedTuple

import orjson

from numeral.rows import Row

COLUMNS = (
    "file",
    "digit",
    "confidence",
    "accepted",
    "reason",
    "note",
    "error",
    "model",
    "precision",
    "sha256",
    "label",
)

# What a row begins with in JSON.
FIRST_KEY = b'{"file":'


class Foreign(Exception):
    """The file holds something that was not written here in this format."""


class Kept(NamedTuple):
    """A whole row that a file holds, and the byte behind it."""

    file: str
    failed: bool
    model: dict[str, str]
    end: int


@dataclass(frozen=True)
class Format:
    """`first` stands before the first row, `others` before each other, `last` behind all. `kept` raises Foreign."""

    row: Callable[[Row], bytes]
    kept: Callable[["Format", BinaryIO], Iterator[Kept]]
    first: bytes = b""
    others: bytes = b""
    last: bytes = b""

    def before(self, index: int) -> bytes:
        return self.others if index else self.first


def json_row(row: Row) -> bytes:
    return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)


def csv_row(row: Row) -> bytes:
    model = row["model"]
    flat = {**row, **model, "model": model["name"], "accepted": str(row["accepted"]).lower()}
    return csv_line([flat.get(column) for column in COLUMNS])


def csv_line(values: list[Any]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(values)
    return text.getvalue().encode()


def kept_json(form: Format, file: BinaryIO) -> Iterator[Kept]:
    end = 0
    for index, line in enumerate(file):
        if index and line == form.last:
            return
        start = form.before(index) + FIRST_KEY
        end += len(line)
        if not line.endswith(b"\n") and (start.startswith(line[: len(start)]) or form.last.startswith(line)):
            return
        if not (line.startswith(start) and line.endswith(b"\n")):
            raise Foreign
        row = orjson.loads(line[len(form.before(index)) :])
        yield Kept(row["file"], row["error"] is not None, row["model"], end)


def kept_csv(form: Format, file: BinaryIO) -> Iterator[Kept]:
    head = file.readline()
    if head != form.first:
        if form.first.startswith(head):
            return
        raise Foreign
    lines = Lines(file, len(head))
    try:
        for values in csv.reader(lines, strict=True):
            if not lines.latest.endswith(b"\n"):
                return
            row = dict(zip(COLUMNS, values, strict=True))
            model = {"name": row["model"], "precision": row["precision"], "sha256": row["sha256"]}
            yield Kept(row["file"], bool(row["error"]), model, lines.end)
    except (csv.Error, ValueError) as error:
        # A half of a row may end in a line feed, of a file's name in quotes.
        if file.read(1):
            raise Foreign from error


class Lines:
    """Of a file, as text, with the bytes that were read of it."""

    def __init__(self, file: BinaryIO, end: int) -> None:
        self._file = file
        self.end = end
        self.latest = b""

    def __iter__(self) -> Iterator[str]:
        for line in self._file:
            self.latest = line
            self.end += len(line)
            yield line.decode("utf-8", "replace")


FORMATS = {
    "csv": Format(csv_row, kept_csv, first=csv_line(list(COLUMNS))),
    "json": Format(json_row, kept_json, first=b"[", others=b",", last=b"]\n"),
    "jsonl": Format(json_row, kept_json),
}
