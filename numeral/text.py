"""Rows for people to read: a line for each file."""

from collections.abc import Sequence

from numeral.files import File
from numeral.formats import Format
from numeral.rows import Row

# Characters of a name that others are lined up to.
WIDEST = 48


def text_format(files: Sequence[File]) -> Format:
    width = min(WIDEST, max(len(file.name) for file in files))
    return Format(lambda row: text_row(row, width), lambda _form, _file: iter(()))


def text_row(row: Row, width: int) -> bytes:
    """As in 'scan.png  2  0.9999'; '?' where the answer is not accepted, '!' where there is none."""
    if row["error"]:
        said = f"!  {row['error']}"
    elif row["accepted"]:
        said = f"{answer(row)}  {row['confidence']:.4f}"
    else:
        said = f"{answer(row)}? {row['confidence']:.4f}  {row['reason']}"
    line = f"{printable(row['file']):<{width}}  {said}"
    return f"{line}{'  ' + row['note'] if row['note'] else ''}\n".encode()


def answer(row: Row) -> str:
    said = row.get("label") if row["digit"] is None else row["digit"]
    return "-" if said is None else str(said)


def printable(name: str) -> str:
    """A file's name may hold what a terminal takes for a command."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in name)
