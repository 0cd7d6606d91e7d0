"""Directories as TIFF has them, in TIFF files and in the EXIF of all the others (TIFF 6.0, section 2)."""

import struct
from collections.abc import Container
from typing import NamedTuple

from service.picture.fault import Unreadable
from service.picture.structure.limits import Limits, damaged

EXIF = b"Exif\0\0"
ORIENTATION = 0x0112

# Bytes of a value of each type: BYTE, ASCII, SHORT, LONG, RATIONAL, SBYTE, UNDEFINED, …, LONG8, SLONG8, IFD8.
TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
# What `struct` calls the types that are whole numbers and not negative.
WHOLE = {1: "B", 3: "H", 4: "I", 16: "Q"}
# 42, and 43 where offsets have eight bytes; EXIF with the wrong one of the two byte orders is made too.
VERSIONS = (b"\x2a\0", b"\0\x2a", b"\x2b\0", b"\0\x2b")
# Of a tag: strips have one value each, but some tags are bytes.
MOST_VALUES_A_PART = 8
# Within EXIF one entry is looked for, among some fifty.
EXIF_LIMITS = Limits(pixels=0, parts=1000)


class Layout(NamedTuple):
    """How a directory lies in a file. `order`: "<" or ">"; the rest is for `struct`."""

    order: str
    number: str
    entry: str

    @property
    def inline(self) -> int:
        """Values of up to so many bytes stand in the entry itself, and are its last bytes."""
        return struct.calcsize(self.number)


CLASSIC, BIG = ("I", "HHI4s"), ("Q", "HHQ8s")


class Entry(NamedTuple):
    """`amount` values of `type`."""

    type: int
    amount: int
    data: bytes

    def numbers(self, order: str) -> tuple[int, ...]:
        """None at all where the type is none of whole numbers, or they lie outside of the file."""
        code = f"{order}{self.amount}{WHOLE.get(self.type, 's')}"
        if self.type not in WHOLE or struct.calcsize(code) != len(self.data):
            return ()
        return struct.unpack(code, self.data)


class Directory(NamedTuple):
    """`following`: where the next directory begins, 0 where there is none."""

    layout: Layout
    entries: dict[int, Entry]
    start: int
    following: int


def read_directory(content: bytes, wanted: Container[int], limits: Limits) -> Directory:
    """The file's first; of its entries those `wanted`, without data where these are too many or outside of the file.

    Raises Unreadable.
    """
    if content[:2] not in (b"II", b"MM") or content[2:4] not in VERSIONS:
        raise damaged("TIFF", "its header is damaged")
    order = "<" if content.startswith(b"II") else ">"
    big = b"\x2b" in content[2:4]
    layout = Layout(order, *(BIG if big else CLASSIC))
    start = number_at(content, 8 if big else 4, order + layout.number)
    counter = order + ("Q" if big else "H")
    count = number_at(content, start, counter)
    first, size = start + struct.calcsize(counter), struct.calcsize(order + layout.entry)
    budget = limits.budget("entries in its directory")
    rows = content[first : first + min(count, limits.parts + 1) * size]
    entries: dict[int, Entry] = {}
    whole = rows[: len(rows) // size * size]
    for (tag, kind, values, where), _ in zip(struct.iter_unpack(order + layout.entry, whole), budget, strict=False):
        if tag in wanted and tag not in entries:
            data = data_of(content, layout, kind, values, where) if values <= MOST_VALUES_A_PART * limits.parts else b""
            entries[tag] = Entry(kind, values, data)
    if first + count * size > len(content):
        raise damaged("TIFF", "its directory is cut off")
    end = first + count * size
    following = number_at(content, end, order + layout.number) if end + layout.inline <= len(content) else 0
    return Directory(layout, entries, start, following)


def number_at(content: bytes, position: int, code: str) -> int:
    if position + struct.calcsize(code) > len(content):
        raise damaged("TIFF", "its directory is cut off")
    number: int = struct.unpack_from(code, content, position)[0]
    return number


def data_of(content: bytes, layout: Layout, kind: int, count: int, where: bytes) -> bytes:
    """An entry's values, which stand in it or elsewhere; nothing where they are outside of the file."""
    length = TYPE_BYTES.get(kind, 0) * count
    if length <= layout.inline:
        return where[:length]
    start: int = struct.unpack(layout.order + layout.number, where)[0]
    return content[start : start + length] if start + length <= len(content) else b""


def orientation_of(exif: bytes) -> int:
    """1 to 8; 1, upright, where `exif` is damaged or says nothing."""
    try:
        return orientation_of_tags(read_directory(exif.removeprefix(EXIF), {ORIENTATION}, EXIF_LIMITS))
    except Unreadable:
        return 1


def orientation_of_tags(directory: Directory) -> int:
    entry = directory.entries.get(ORIENTATION)
    numbers = entry.numbers(directory.layout.order) if entry and entry.amount == 1 else ()
    return numbers[0] if numbers and 1 <= numbers[0] <= 8 else 1
