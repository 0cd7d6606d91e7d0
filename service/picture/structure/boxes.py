"""Boxes of the ISO base media file format (ISO/IEC 14496-12), and of them those that describe items: still pictures and
what they are made of (8.11)."""

import struct
from collections.abc import Collection, Iterator
from typing import NamedTuple

from service.picture.structure.bits import Bytes
from service.picture.structure.limits import damaged

KIND = "HEIF or AVIF"
HEAD = struct.Struct(">I4s")
FULL = struct.Struct(">I4sI")

# Where an extent counts from: the file, or a box of data beside the descriptions.
FROM_FILE, FROM_IDAT = 0, 1

Boxes = dict[bytes, bytes]


class Location(NamedTuple):
    """Pieces of an item's data, each an offset and a length, of which 0 is up to the end."""

    source: int
    extents: list[tuple[int, int]]


class Reference(NamedTuple):
    kind: bytes
    start: int
    targets: list[int]


class Item(NamedTuple):
    """`properties`: boxes in their order, with whether who does not know one must not show the item."""

    kind: bytes
    hidden: bool
    properties: list[tuple[bytes, bytes, bool]]

    def of(self, kind: bytes) -> bytes | None:
        """The first property of that kind."""
        return next((data for name, data, _ in self.properties if name == kind), None)


class Data:
    """Gives out the bytes of items, together no more than the file has: one whose items share theirs grows else."""

    def __init__(self, content: bytes, idat: bytes) -> None:
        self.sources = (content, idat)
        self.left = len(content)

    def at(self, location: Location | None) -> bytes:
        """Raises Unreadable where there is none, or more than is left."""
        if location is None or not location.extents:
            raise damaged(KIND, "an item that makes its picture has no data in the file")
        source = self.sources[location.source]
        pieces = []
        for offset, length in location.extents:
            piece = source[offset : offset + length if length else len(source)]
            self.left -= len(piece)
            if len(piece) < length or self.left < 0:
                raise damaged(KIND, "the data of its items are cut off, or more than all the file")
            pieces.append(piece)
        return b"".join(pieces)


def boxes(content: bytes, budget: Iterator[int]) -> Iterator[tuple[bytes, bytes]]:
    """Kind and data of each, up to one that is cut off."""
    position = 0
    while position + HEAD.size <= len(content):
        next(budget)
        size, kind = HEAD.unpack_from(content, position)
        head = HEAD.size
        if size == 1:
            head += 8
            size = int.from_bytes(content[position + HEAD.size : position + head], "big")
        if size == 0:
            size = len(content) - position
        if size < head or position + size > len(content):
            # What makes the picture is asked for later; in a file that is cut off it stands before the pixels.
            yield kind, content[position + head : position + max(size, head)]
            return
        yield kind, content[position + head : position + size]
        position += size


def first_of_each(content: bytes, wanted: Collection[bytes], budget: Iterator[int]) -> Boxes:
    """The data of each of the kinds that are `wanted`."""
    found: Boxes = {}
    for kind, data in boxes(content, budget):
        if kind in wanted:
            found.setdefault(kind, data)
    return found


def box(kind: bytes, *data: bytes) -> bytes:
    whole = b"".join(data)
    return HEAD.pack(HEAD.size + len(whole), kind) + whole


def full_box(kind: bytes, version: int, *data: bytes) -> bytes:
    return box(kind, struct.pack(">I", version << 24), *data)


def primary_item(data: bytes) -> int:
    """Of the box `pitm`."""
    reader = Bytes(data, KIND)
    return reader.take(2 if reader.take(4) >> 24 == 0 else 4)


def read_items(found: Boxes, budget: Iterator[int]) -> dict[int, Item]:
    """By number, from the boxes `iinf` and `iprp`."""
    data = found.get(b"iinf", b"")
    entries = boxes(data[6 if data[:1] == b"\0" else 8 :], budget)
    properties = read_properties(found.get(b"iprp", b""), budget)
    items: dict[int, Item] = {}
    for kind, entry in entries:
        if kind == b"infe" and entry[:1] in (b"\2", b"\3"):
            reader = Bytes(entry, KIND)
            flags = reader.take(4)
            number = reader.take(2 if flags >> 24 == 2 else 4)
            reader.take(2)
            items[number] = Item(reader.piece(4), bool(flags & 1), properties.get(number, []))
    return items


def read_properties(data: bytes, budget: Iterator[int]) -> dict[int, list[tuple[bytes, bytes, bool]]]:
    """By the number of the item that they are of."""
    inner = list(boxes(data, budget))
    known = [one for kind, container in inner if kind == b"ipco" for one in boxes(container, budget)]
    properties: dict[int, list[tuple[bytes, bytes, bool]]] = {}
    for kind, table in inner:
        if kind != b"ipma":
            continue
        reader = Bytes(table, KIND)
        version_and_flags = reader.take(4)
        wide = version_and_flags & 1
        for _ in zip(range(reader.take(4)), budget, strict=False):
            mine = properties.setdefault(reader.take(4 if version_and_flags >> 24 else 2), [])
            for _ in zip(range(reader.take(1)), budget, strict=False):
                value = reader.take(2 if wide else 1)
                essential, index = divmod(value, 1 << (15 if wide else 7))
                if 0 < index <= len(known):
                    mine.append((*known[index - 1], bool(essential)))
    return properties


def read_references(data: bytes, budget: Iterator[int]) -> list[Reference]:
    """Of the box `iref`."""
    size = 4 if data[:1] == b"\1" else 2
    references = []
    for kind, content in boxes(data[4:], budget):
        reader = Bytes(content, KIND)
        start = reader.take(size)
        targets = [reader.take(size) for _ in zip(range(reader.take(2)), budget, strict=False)]
        references.append(Reference(kind, start, targets))
    return references


def read_locations(data: bytes, budget: Iterator[int]) -> dict[int, Location]:
    """Of the box `iloc`. Raises Unreadable where data are in another file or within an item."""
    reader = Bytes(data, KIND)
    version = reader.take(4) >> 24
    sizes = reader.take(2)
    offset_size, length_size, base_size, index_size = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15, sizes & 15
    locations: dict[int, Location] = {}
    for _ in zip(range(reader.take(4 if version == 2 else 2)), budget, strict=False):
        number = reader.take(4 if version == 2 else 2)
        source = reader.take(2) & 15 if version else FROM_FILE
        elsewhere = reader.take(2)
        base = reader.take(base_size)
        extents = []
        for _ in zip(range(reader.take(2)), budget, strict=False):
            reader.take(index_size if version else 0)
            extents.append((base + reader.take(offset_size), reader.take(length_size)))
        if elsewhere or source > FROM_IDAT:
            extents = []
        locations[number] = Location(source, extents)
    return locations
