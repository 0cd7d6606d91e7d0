"""Files of boxes, HEIF and AVIF, made to cost a reader far more than their bytes, each by hand."""

import struct
from collections.abc import Callable, Sequence
from functools import cache, partial
from io import BytesIO

import pillow_heif
from PIL import Image

MEGABYTE = 1_000_000

# Of an item: its kind, its properties by number, and the numbers of its tiles.
Item = tuple[bytes, Sequence[int], Sequence[int]]


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    pillow_heif.register_heif_opener()
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def box(kind: bytes, *data: bytes) -> bytes:
    whole = b"".join(data)
    return struct.pack(">I4s", 8 + len(whole), kind) + whole


def full(kind: bytes, *data: bytes, version: int = 0) -> bytes:
    return box(kind, struct.pack(">I", version << 24), *data)


def found(content: bytes, kind: bytes) -> bytes:
    """The data of the first box of a kind, wherever it is."""
    place = content.index(kind)
    return content[place + 4 : place - 4 + int.from_bytes(content[place - 4 : place], "big")]


@cache
def coded(size: int = 64, shade: int = 255) -> tuple[bytes, bytes]:
    """Parameters and pixels of a square, in HEVC."""
    whole = saved(Image.new("L", (size, size), shade), "HEIF", quality=30)
    return found(whole, b"hvcC"), found(whole, b"mdat")


def size_property(width: int, height: int) -> bytes:
    return full(b"ispe", struct.pack(">2I", width, height))


def file_of(
    items: Sequence[Item],
    properties: Sequence[bytes],
    data: Sequence[bytes | None],
    *,
    brand: bytes = b"heic",
    extents: Sequence[tuple[int, int]] | None = None,
    references: Sequence[bytes] = (),
    more: Sequence[bytes] = (),
    behind: bytes = b"",
) -> bytes:
    """`data`: of each item, one after the other, None where it is that of the one before; `extents`, in place of what
    they say, are each item's. `more`: boxes in `meta`."""
    head = box(b"ftyp", brand, bytes(4), b"mif1", brand)

    def meta(place: int) -> bytes:
        entries, locations, associations, tiles = [], [], [], []
        last = (place, 0)
        for number, ((kind, used, parts), content) in enumerate(zip(items, data, strict=True), 1):
            entries.append(full(b"infe", struct.pack(">HH4sx", number, 0, kind), version=2))
            last = last if content is None else (sum(last), len(content))
            mine = [last] if extents is None else extents
            pairs = b"".join(struct.pack(">II", *one) for one in mine)
            locations.append(struct.pack(">HHH", number, 0, len(mine)) + pairs)
            associations.append(struct.pack(f">HB{len(used)}B", number, len(used), *used))
            if parts:
                tiles.append(box(b"dimg", struct.pack(f">HH{len(parts)}H", number, len(parts), *parts)))
        return full(
            b"meta",
            full(b"hdlr", struct.pack(">I4s13x", 0, b"pict")),
            full(b"pitm", struct.pack(">H", 1)),
            full(b"iloc", struct.pack(">HH", 0x4400, len(items)), *locations),
            full(b"iinf", struct.pack(">H", len(items)), *entries),
            full(b"iref", *tiles, *references),
            box(b"iprp", box(b"ipco", *properties), full(b"ipma", struct.pack(">I", len(items)), *associations)),
            *more,
        )

    return head + meta(len(head) + len(meta(0)) + 8) + box(b"mdat", *filter(None, data)) + behind


def plain(size: tuple[int, int] = (64, 64), **options: object) -> bytes:
    """One square of 64×64, said to be of `size`."""
    parameters, pixels = coded()
    properties = [size_property(*size), box(b"hvcC", parameters)]
    return file_of([(b"hvc1", (1, 2), ())], properties, [pixels], **options)  # type: ignore[arg-type]


def grid(rows: int, columns: int, size: tuple[int, int], side: int = 64, same: bool = False) -> bytes:
    """`same`: all its tiles are one item."""
    parameters, pixels = coded(side)
    count = 1 if same else rows * columns
    tiles = [2] * (rows * columns) if same else list(range(2, 2 + count))
    properties = [size_property(*size), size_property(side, side), box(b"hvcC", parameters)]
    items: list[Item] = [(b"grid", (1,), tiles[:65_535]), *([(b"hvc1", (2, 3), ())] * count)]
    says = struct.pack(">BBBBII", 0, 1, rows - 1, columns - 1, *size)
    return file_of(items, properties, [says, *([pixels] * count)])


def tiles_of_the_same_bytes(rows: int = 20, columns: int = 24) -> bytes:
    """Each an item of its own, of a megabyte, and all in one place: a file with these alone would have 480."""
    parameters, pixels = coded()
    size = (64 * columns, 64 * rows)
    says = struct.pack(">BBBBII", 0, 1, rows - 1, columns - 1, *size)
    more = struct.pack(">I", MEGABYTE) + b"\x40\x01" + bytes(MEGABYTE - 2)  # a unit of parameters, which are kept
    count = rows * columns
    properties = [size_property(*size), size_property(64, 64), box(b"hvcC", parameters)]
    items: list[Item] = [(b"grid", (1,), range(2, 2 + count)), *([(b"hvc1", (2, 3), ())] * count)]
    return file_of(items, properties, [says, pixels + more, *([None] * (count - 1))])


def many_items(count: int = 60_000) -> bytes:
    parameters, pixels = coded()
    properties = [size_property(64, 64), box(b"hvcC", parameters)]
    return file_of([(b"hvc1", (1, 2), ())] * count, properties, [pixels] + [b""] * (count - 1))


def many_extents(extents: Sequence[tuple[int, int]]) -> bytes:
    return plain(extents=extents)


def deep(depth: int = 100_000) -> bytes:
    inner = b""
    sizes = [8 + 8 * level for level in range(depth)]
    inner = b"".join(struct.pack(">I4s", size, b"meta") for size in reversed(sizes))
    return plain(more=[inner])


def pictures(count: int) -> bytes:
    """One item whose data are as many pictures as there is room for."""
    parameters, pixels = coded(512)
    properties = [size_property(512, 512), box(b"hvcC", parameters)]
    return file_of([(b"hvc1", (1, 2), ())], properties, [pixels * count])


def units(count: int = 600_000) -> bytes:
    """Text in place of pictures, a unit for each character."""
    parameters, pixels = coded()
    properties = [size_property(64, 64), box(b"hvcC", parameters)]
    return file_of([(b"hvc1", (1, 2), ())], properties, [pixels + b"\0\0\0\3\x4e\x01\x80" * count])


def larger_than_it_says() -> bytes:
    parameters, pixels = coded(2048)
    properties = [size_property(64, 64), box(b"hvcC", parameters)]
    return file_of([(b"hvc1", (1, 2), ())], properties, [pixels])


def avif_larger_than_it_says(side: int = 8000) -> bytes:
    """Most of an AVIF's size is in its pixels: what the boxes say is made small."""
    whole = saved(Image.new("L", (side, side)), "AVIF", speed=10)
    return whole.replace(struct.pack(">2I", side, side), struct.pack(">2I", 64, 64))


def frames_of_av1(count: int = 3000) -> bytes:
    whole = saved(Image.new("L", (512, 512)), "AVIF", speed=10)
    properties = [size_property(512, 512), box(b"av1C", found(whole, b"av1C"))]
    return file_of([(b"av01", (1, 2), ())], properties, [found(whole, b"mdat") * count], brand=b"avif")


def associations(count: int = 200_000) -> bytes:
    table = struct.pack(">HB2B", 1, 2, 1, 2) * count
    return plain(more=[box(b"iprp", full(b"ipma", struct.pack(">I", count), table))])


def aliased_extents(pieces: int = 9000) -> bytes:
    """Each the whole file again."""
    return many_extents([(0, 0)] * pieces)


HOSTILE_HEIF: dict[str, Callable[[], bytes]] = {
    "HEIF of 60,000 items": many_items,
    "HEIF of a claimed size": lambda: plain((2**31 - 1, 2**31 - 1)),
    "HEIF of another size than it is": lambda: plain((4000, 4000)),
    "HEIF larger than it says": larger_than_it_says,
    "HEIF of a size of nothing": lambda: plain((0, 64)),
    "HEIF of boxes in boxes": deep,
    "HEIF of empty boxes": lambda: plain(more=[box(b"free") * 500_000]),
    "HEIF of boxes behind": lambda: plain(behind=box(b"free") * 500_000),
    "HEIF of properties": lambda: plain(more=[box(b"iprp", box(b"ipco", box(b"free") * 500_000))]),
    "HEIF of associations": associations,
    "HEIF of 65,000 extents": lambda: many_extents([(0, 1)] * 65_000),
    "HEIF of extents over each other": aliased_extents,
    "HEIF of an extent beyond its end": lambda: many_extents([(2**32 - 1, 2**32 - 1)]),
    "HEIF of a grid of 65,535 tiles": lambda: grid(256, 256, (16_384, 16_384), same=True),
    "HEIF of a grid of one tile over and over": lambda: grid(62, 62, (3968, 3968), same=True),
    "HEIF of a grid of 3,844 tiles": lambda: grid(62, 62, (3968, 3968)),
    "HEIF of a grid of a claimed size": lambda: grid(2, 2, (2**32 - 1, 2**32 - 1)),
    "HEIF of a grid of tiles that reach far over it": lambda: grid(1, 200, (200, 1)),
    "HEIF of a grid of tiles of the same bytes": tiles_of_the_same_bytes,
    "HEIF of a grid of itself": lambda: file_of(
        [(b"grid", (1,), (1,))], [size_property(64, 64)], [struct.pack(">BBBBHH", 0, 0, 0, 0, 64, 64)]
    ),
    "HEIF of pictures in its picture": partial(pictures, 3000),
    "HEIF of units of text": units,
    "HEIF of references": lambda: plain(references=[box(b"thmb", struct.pack(">HHH", 1, 1, 1)) * 200_000]),
    "HEIF of one reference to 65,535": lambda: plain(references=[box(b"cdsc", struct.pack(">HH", 1, 65_535) * 40_000)]),
    "HEIF of parameters": lambda: file_of(
        [(b"hvc1", (1, 2), ())], [size_property(64, 64), box(b"hvcC", bytes(MEGABYTE))], [coded()[1]]
    ),
    "HEIF of brands": lambda: box(b"ftyp", b"heic", bytes(4), b"mif1" * MEGABYTE),
    "HEIF of nothing else": lambda: box(b"ftyp", b"heic", bytes(4), b"mif1"),
    "HEIF of zeros": lambda: box(b"ftyp", b"heic", bytes(4), b"mif1") + bytes(4 * MEGABYTE),
    "HEIF of ones": lambda: box(b"ftyp", b"heic", bytes(4), b"mif1") + b"\xff" * 4 * MEGABYTE,
    "AVIF larger than it says": avif_larger_than_it_says,
    "AVIF of a claimed size": lambda: plain((2**31 - 1, 2**31 - 1), brand=b"avif"),
    "AVIF of frames in its picture": frames_of_av1,
    "AVIF that is HEVC": lambda: plain(brand=b"avif"),
}


def turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


# As large as is allowed.
LARGEST_HEIF: dict[str, Callable[[], bytes]] = {
    "HEIF": lambda: saved(Image.new("RGB", (4000, 4000), "white"), "HEIF", quality=30, chroma=444),
    "HEIF of a grid": lambda: grid(7, 7, (3584, 3584), 512),
    "HEIF transparent": lambda: saved(Image.new("RGBA", (4000, 4000), "white"), "HEIF", quality=30),
    "AVIF": lambda: saved(Image.new("RGB", (4000, 4000), "white"), "AVIF", speed=10, exif=turned()),
    "AVIF transparent": lambda: saved(Image.new("RGBA", (4000, 4000), "red"), "AVIF", speed=10, subsampling="4:4:4"),
}
