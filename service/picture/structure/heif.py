"""HEIF: what phones save as .heic or .heif, and AVIF, which is the same with another codec (ISO/IEC 23008-12).

A box describes items and says which is the picture. That is one item of coded pixels, or a grid of many; another may
hold its transparency. The rest, thumbnails, depths, gain maps, EXIF and sequences, is left away.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from service.picture.fault import FaultKind, Unreadable
from service.picture.structure import av1, hevc
from service.picture.structure.bits import Bytes
from service.picture.structure.boxes import (
    KIND,
    Boxes,
    Data,
    Item,
    Location,
    Reference,
    box,
    first_of_each,
    full_box,
    primary_item,
    read_items,
    read_locations,
    read_references,
)
from service.picture.structure.limits import Limits, damaged
from service.picture.structure.stripped import Stripped

AVIF_BRANDS = {b"avif", b"avis"}
HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"mif2", b"msf1"}
BRAND_BYTES = 1024

# Boxes that are looked into: of the file, where films are in the second, and of `meta`.
OUTER = {b"meta", b"moov"}
INNER = {b"pitm", b"iinf", b"iprp", b"iref", b"iloc", b"idat"}

# Which format an item of coded pixels makes, and the property with the parameters of its codec.
CODECS = {b"hvc1": ("HEIF", b"heic", b"hvcC"), b"av01": ("AVIF", b"avif", b"av1C")}
GRID = b"grid"
# Besides that with the parameters: size, bits a channel, colours by numbers, cropping and what kind of helper it is.
KEPT = {b"ispe", b"hvcC", b"av1C", b"pixi", b"colr", b"clap", b"auxC"}
MOST_PROPERTY_BYTES = 4096
ROTATE, MIRROR = b"irot", b"imir"
ALPHA = (b"urn:mpeg:hevc:2015:auxid:1", b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha")

# libheif takes up to a thousand items; a picture of 48 megapixels in the tiles of phones has 192.
MOST_TILES = 480
# Pixels a side that coded pictures are filled up by, at the most.
FILLED = 64

# What is seen of the corners [[0, 1], [2, 3]] under each of EXIF's orientations.
ORIENTATIONS = {
    (0, 1, 2, 3): 1,
    (1, 0, 3, 2): 2,
    (3, 2, 1, 0): 3,
    (2, 3, 0, 1): 4,
    (0, 2, 1, 3): 5,
    (2, 0, 3, 1): 6,
    (3, 1, 2, 0): 7,
    (1, 3, 0, 2): 8,
}


class Container(NamedTuple):
    """What a file says of its items. `budget`: for all that is still to be looked at."""

    source: Data
    items: dict[int, Item]
    references: list[Reference]
    locations: dict[int, Location]
    limits: Limits
    budget: Iterator[int]

    def targets(self, kind: bytes, start: int) -> list[int]:
        return next((one.targets for one in self.references if (one.kind, one.start) == (kind, start)), [])

    def data(self, number: int) -> bytes:
        return self.source.at(self.locations.get(number))


class Kept(NamedTuple):
    """An item of the file that is made."""

    kind: bytes
    properties: list[tuple[bytes, bytes, bool]]
    data: bytes


class Picture(NamedTuple):
    """One item, or a grid with its tiles behind it."""

    codec: bytes
    width: int
    height: int
    items: list[Kept]


def is_heif(content: bytes) -> bool:
    return content[4:8] == b"ftyp" and bool(brands(content) & (AVIF_BRANDS | HEIF_BRANDS))


def is_avif(content: bytes) -> bool:
    return content[4:8] == b"ftyp" and bool(brands(content) & AVIF_BRANDS)


def brands(content: bytes) -> set[bytes]:
    end = min(int.from_bytes(content[:4], "big"), BRAND_BYTES)
    return {content[start : start + 4] for start in (8, *range(16, end, 4))}


def strip(content: bytes, limits: Limits) -> Stripped:
    """The primary item, upright only once it is turned as `orientation` says."""
    budget = limits.budget("boxes, items and parts of these")
    outer = first_of_each(content, OUTER, budget)
    if b"meta" not in outer:
        raise damaged(KIND, "it describes no still picture")
    inner = first_of_each(outer[b"meta"][4:], INNER, budget)
    container = read_container(content, inner, limits, budget)
    number = primary_item(inner.get(b"pitm", b""))
    picture = read_picture(container, number)
    alpha = read_alpha(container, number, picture)
    name, brand, _ = CODECS[picture.codec]
    orientation = orientation_of(container.items[number])
    whole = rebuilt(brand, picture, alpha)
    several = b"moov" in outer or has_others(container, number)
    return Stripped(name, whole, picture.width, picture.height, orientation, several)


def read_container(content: bytes, found: Boxes, limits: Limits, budget: Iterator[int]) -> Container:
    """`found`: of the box `meta`, by their kinds."""
    return Container(
        source=Data(content, found.get(b"idat", b"")),
        items=read_items(found, budget),
        references=read_references(found.get(b"iref", b""), budget),
        locations=read_locations(found.get(b"iloc", b""), budget),
        limits=limits,
        budget=budget,
    )


def read_picture(container: Container, number: int) -> Picture:
    """Raises Unreadable where it is too large, of another kind, or not what it says."""
    item = container.items.get(number)
    if item is None:
        raise damaged(KIND, "the item that is to be its picture is missing")
    width, height = size_of(item)
    container.limits.check_size(width, height)
    if item.kind == GRID:
        return read_grid(container, number, width, height)
    if item.kind not in CODECS:
        allowed = ", ".join(kind.decode() for kind in (*CODECS, GRID))
        raise damaged(KIND, f"its picture is an item of kind {item.kind!r}; supported: {allowed}")
    return Picture(item.kind, width, height, [read_coded(container, number, item)])


def size_of(item: Item) -> tuple[int, int]:
    """Width and height, as the item says."""
    reader = Bytes(item.of(b"ispe") or b"", KIND)
    reader.take(4)
    width, height = reader.take(4), reader.take(4)
    if not width or not height:
        raise damaged(KIND, f"an item is of {width}×{height} pixels")
    return width, height


def read_coded(container: Container, number: int, item: Item) -> Kept:
    """An item of coded pixels. Raises Unreadable where these are of another size than it says."""
    _, _, parameters = CODECS[item.kind]
    configuration = item.of(parameters) or b""
    if item.kind == b"hvc1":
        sizes = hevc.sizes_in_configuration(configuration, container.budget)
        data, more = hevc.only_picture(container.data(number), configuration, container.budget)
    else:
        sizes = av1.sizes_in_configuration(configuration, container.budget)
        data, more = av1.only_picture(container.data(number), container.budget)
    width, height = size_of(item)
    for coded in sizes + more:
        if coded[0] > width + FILLED or coded[1] > height + FILLED:
            detail = f"an item of {width}×{height} pixels is coded as one of {coded[0]}×{coded[1]}"
            raise Unreadable(FaultKind.TOO_LARGE, f"the file starts as {KIND} but cannot be decoded: {detail}")
    return Kept(item.kind, kept_properties(item), data)


def kept_properties(item: Item) -> list[tuple[bytes, bytes, bool]]:
    """Raises Unreadable where one that is not known changes what is seen."""
    kept = []
    for kind, data, essential in item.properties:
        if kind in KEPT and len(data) <= MOST_PROPERTY_BYTES and (kind != b"colr" or data.startswith(b"nclx")):
            kept.append((kind, data, essential))
        elif essential and kind not in (ROTATE, MIRROR, b"colr"):
            raise damaged(KIND, f"it cannot be shown without its property {kind!r}, which is not supported")
    return kept


def read_grid(container: Container, number: int, width: int, height: int) -> Picture:
    """Raises Unreadable where its tiles are not those that just cover it."""
    data = container.data(number)
    reader = Bytes(data, KIND)
    wide = reader.take(2) & 1
    rows, columns = reader.take(1) + 1, reader.take(1) + 1
    if (reader.take(4 if wide else 2), reader.take(4 if wide else 2)) != (width, height):
        raise damaged(KIND, "its grid is of another size than it says")
    numbers = container.targets(b"dimg", number)
    if len(numbers) != rows * columns or len(set(numbers)) != len(numbers):
        raise damaged(KIND, f"its grid of {rows}×{columns} has {len(set(numbers))} tiles")
    if len(numbers) > MOST_TILES:
        detail = f"the file has {len(numbers):,} tiles; the limit is {MOST_TILES}"
        raise Unreadable(FaultKind.TOO_LARGE, detail)
    tiles = [container.items.get(tile) for tile in numbers]
    coded = [tile for tile in tiles if tile is not None and tile.kind in CODECS]
    if len(coded) != len(numbers) or len({(tile.kind, size_of(tile)) for tile in coded}) != 1:
        raise damaged(KIND, "the tiles of its grid are not all of one kind and size")
    check_cover(size_of(coded[0]), (columns, rows), (width, height), container.limits)
    kept = [read_coded(container, tile, item) for tile, item in zip(numbers, coded, strict=True)]
    grid = Kept(GRID, kept_properties(container.items[number]), data)
    return Picture(coded[0].kind, width, height, [grid, *kept])


def check_cover(tile: tuple[int, int], count: tuple[int, int], size: tuple[int, int], limits: Limits) -> None:
    for side, number, length in zip(tile, count, size, strict=True):
        if not side * (number - 1) < length <= side * number:
            raise damaged(KIND, f"{number} tiles of {side} pixels do not just cover {length}")
    limits.check_size(*tile, what="a tile")
    # At the edges they reach over it.
    limits.check_size(tile[0] * count[0], tile[1] * count[1], "the grid of tiles", times=2)


def read_alpha(container: Container, number: int, picture: Picture) -> Picture | None:
    """The transparency of `picture`: None where there is none, or one of another size or codec."""
    for reference in container.references:
        item = container.items.get(reference.start)
        if reference.kind != b"auxl" or number not in reference.targets or item is None:
            continue
        if (item.of(b"auxC") or b"")[4:].startswith(ALPHA):
            alpha = read_picture(container, reference.start)
            return alpha if alpha[:3] == picture[:3] else None
    return None


def orientation_of(item: Item) -> int:
    """EXIF's, of the turns and mirrors of an item in their order. EXIF itself is not heeded (6.5.10)."""
    corners = (0, 1, 2, 3)
    for kind, data, _ in item.properties:
        value = data[0] if data else 0
        if kind == ROTATE:
            for _ in range(value & 3):  # anticlockwise
                corners = (corners[1], corners[3], corners[0], corners[2])
        elif kind == MIRROR:
            left_right = (corners[1], corners[0], corners[3], corners[2])
            corners = left_right if value & 1 else (corners[2], corners[3], corners[0], corners[1])
    return ORIENTATIONS[corners]


def has_others(container: Container, number: int) -> bool:
    """Whether there are pictures beside the primary one that are no part, preview or helper of any."""
    parts = {target for one in container.references if one.kind == b"dimg" for target in one.targets}
    helpers = {one.start for one in container.references if one.kind in (b"thmb", b"auxl")}
    known = parts | helpers | {number}
    return any(
        other not in known and not item.hidden and (item.kind in CODECS or item.kind == GRID)
        for other, item in container.items.items()
    )


def rebuilt(brand: bytes, picture: Picture, alpha: Picture | None) -> bytes:
    """A file of these alone, its items numbered from 1, the primary one."""
    items = picture.items + (alpha.items if alpha else [])
    head = box(b"ftyp", brand, bytes(4), brand, b"mif1miaf")
    references = grid_of(picture, 1)
    if alpha:
        first = 1 + len(picture.items)
        references += grid_of(alpha, first) + box(b"auxl", struct.pack(">3H", first, 1, 1))
    place = len(head) + len(meta(items, references, 0)) + 8
    return head + meta(items, references, place) + box(b"mdat", *(item.data for item in items))


def grid_of(picture: Picture, first: int) -> bytes:
    if len(picture.items) == 1:
        return b""
    numbers = range(first + 1, first + len(picture.items))
    return box(b"dimg", struct.pack(f">{2 + len(numbers)}H", first, len(numbers), *numbers))


def meta(items: list[Kept], references: bytes, place: int) -> bytes:
    """`place`: where the data of the first item begin."""
    properties = {(kind, data): None for item in items for kind, data, _ in item.properties}
    index = {one: number for number, one in enumerate(properties, 1)}
    entries, locations, associations = [], [], []
    for number, item in enumerate(items, 1):
        # Tiles and transparency are hidden.
        entries.append(box(b"infe", struct.pack(">IHH4sx", 2 << 24 | (number > 1), number, 0, item.kind)))
        locations.append(struct.pack(">HHHII", number, 0, 1, place, len(item.data)))
        place += len(item.data)
        mine = [index[kind, data] | essential << 15 for kind, data, essential in item.properties]
        associations.append(struct.pack(f">HB{len(mine)}H", number, len(mine), *mine))
    count = len(items)
    return full_box(
        b"meta",
        0,
        full_box(b"hdlr", 0, struct.pack(">I4s13x", 0, b"pict")),
        full_box(b"pitm", 0, struct.pack(">H", 1)),
        full_box(b"iloc", 0, struct.pack(">HH", 0x4400, count), *locations),
        full_box(b"iinf", 0, struct.pack(">H", count), *entries),
        full_box(b"iref", 0, references) if references else b"",
        box(
            b"iprp",
            box(b"ipco", *(box(kind, data) for kind, data in properties)),
            box(b"ipma", struct.pack(">II", 1, count), *associations),
        ),
    )
