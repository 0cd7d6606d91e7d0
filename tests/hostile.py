"""Files made to cost a reader far more than their bytes, each by hand: `HOSTILE[name]()`."""

import struct
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from io import BytesIO

import numpy as np
from PIL import Image

from tests.hostile_heif import HOSTILE_HEIF, LARGEST_HEIF

MEGABYTE = 1_000_000
WHITE = Image.new("L", (28, 28), 255)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


# PNG


def png_chunk(kind: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_file(
    *before: bytes,
    size: tuple[int, int] = (28, 28),
    depth: int = 8,
    colour: int = 0,
    interlaced: bool = False,
    pixels: bytes | None = None,
    behind: bytes = b"",
) -> bytes:
    """`before` are chunks between header and pixels, `behind` those between pixels and end."""
    header = png_chunk(b"IHDR", struct.pack(">2I5B", *size, depth, colour, 0, 0, interlaced))
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    rows = zlib.compress(bytes((size[0] * samples * depth + 7) // 8 + 1) * size[1]) if pixels is None else pixels
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(before) + png_chunk(b"IDAT", rows) + behind + png_chunk(b"IEND")


def png_many(kind: bytes, data: bytes, total: int = 4 * MEGABYTE) -> bytes:
    chunk = png_chunk(kind, data)
    return png_file(chunk * (total // len(chunk)))


def png_profile_bomb() -> bytes:
    return png_many(b"iCCP", b"x\0\0" + zlib.compress(bytes(MEGABYTE), 9))


def png_text_bomb(kind: bytes) -> bytes:
    head = b"x\0\0" if kind == b"zTXt" else b"x\0\x01\0\0\0"
    return png_many(kind, head + zlib.compress(b"x" * MEGABYTE, 9))


def png_frames(count: int = 50_000) -> bytes:
    frames = []
    data = zlib.compress(bytes(2))
    for number in range(count):
        place = struct.pack(">5I2H2B", 2 * number, 1, 1, 0, 0, 1, 1, 0, 0)
        frames.append(png_chunk(b"fcTL", place) + png_chunk(b"fdAT", struct.pack(">I", 2 * number + 1) + data))
    return png_file(png_chunk(b"acTL", struct.pack(">2I", count, 0)), behind=b"".join(frames))


def png_exif(exif: bytes) -> bytes:
    return png_file(png_chunk(b"eXIf", exif))


# JPEG


def jpeg_segment(marker: int, data: bytes = b"") -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", 2 + len(data)) + data


def jpeg_with(segments: bytes, image: Image.Image = WHITE) -> bytes:
    """`segments` right behind the start."""
    plain = saved(image, "JPEG")
    return plain[:2] + segments + plain[2:]


def jpeg_scans(size: tuple[int, int], count: int, mode: str = "L") -> bytes:
    """A progressive file whose last scan, with its table, comes `count` times more."""
    plain = saved(Image.new(mode, size), "JPEG", progressive=True, subsampling=0)
    last = plain[plain.rindex(b"\xff\xc4") : -2]
    return plain[:-2] + last * count + plain[-2:]


def jpeg_of_some_components() -> bytes:
    """Its only scan has one of three, so that a decoder would hold all until the others come."""
    plain = saved(Image.new("RGB", (11_300, 11_300)), "JPEG", subsampling=0)
    start = plain.index(b"\xff\xda")
    return plain[:start] + b"\xff\xda" + struct.pack(">HB", 8, 1) + b"\x01\x00\x00\x3f\x00" + plain[start + 14 :]


def jpeg_filled(size: int = 4 * MEGABYTE) -> bytes:
    """Within its scan."""
    plain = saved(Image.radial_gradient("L"), "JPEG")
    return plain[:-2] + b"\xff" * size + plain[-2:]


# GIF


def gif_file(extensions: bytes = b"", screen: tuple[int, int] = (28, 28), frame: tuple[int, int] = (28, 28)) -> bytes:
    """`extensions` before the only image, whose data are those of a frame of 28×28."""
    plain = saved(WHITE, "GIF")
    start = plain.index(b",\0\0\0\0")
    head = plain[:6] + struct.pack("<2H", *screen) + plain[10:start]
    image = plain[start : start + 5] + struct.pack("<2H", *frame) + plain[start + 9 :]
    return head + extensions + image


def gif_frames(count: int = 100_000) -> bytes:
    plain = saved(WHITE, "GIF")
    image = b",\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0"
    return plain[:-1] + image * count + b";"


def gif_in_small_blocks() -> bytes:
    """The data of an image of 800×800 noisy pixels, a byte in each block."""
    plain = saved(Image.fromarray(np.random.default_rng(0).integers(0, 256, (800, 800), np.uint8)), "GIF", interlace=0)
    start = plain.index(b",\0\0\0\0") + 11
    data, position = b"", start
    while plain[position]:
        data += plain[position + 1 : position + 1 + plain[position]]
        position += 1 + plain[position]
    return plain[:start] + b"".join(b"\x01" + data[i : i + 1] for i in range(len(data))) + b"\0;"


# BMP


def bmp_file(
    data: bytes,
    size: tuple[int, int] = (28, 28),
    bits: int = 8,
    compression: int = 1,
    colours: int = 0,
    table: int = 256,
) -> bytes:
    """`table`: how many colours there are, whatever `colours` says."""
    head = struct.pack("<I2i2H6I", 40, *size, 1, bits, compression, len(data), 0, 0, colours, 0)
    offset = 14 + len(head) + 4 * table
    return b"BM" + struct.pack("<3I", offset + len(data), 0, offset) + head + bytes(range(4)) * table + data


# WEBP


def webp_chunk(kind: bytes, data: bytes) -> bytes:
    return kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def webp_file(*chunks: bytes) -> bytes:
    return webp_chunk(b"RIFF", b"WEBP" + b"".join(chunks))


def webp_extended(width: int, height: int, flags: int = 0) -> bytes:
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return webp_chunk(b"VP8X", bytes([flags, 0, 0, 0]) + sides)


def webp_bitstream(image: Image.Image = WHITE) -> bytes:
    return saved(image, "WEBP", lossless=True)[12:]


def webp_frames(count: int, width: int = 28, height: int = 28) -> bytes:
    place = bytes(6) + (27).to_bytes(3, "little") * 2 + bytes(4)
    frame = webp_chunk(b"ANMF", place + webp_bitstream())
    return webp_file(webp_extended(width, height, 2), webp_chunk(b"ANIM", bytes(6)), frame * count)


def webp_of_claimed_size(width: int, height: int) -> bytes:
    """The canvas is small, the bitstream says otherwise."""
    bits = (width - 1) | (height - 1) << 14
    stream = bytearray(webp_bitstream())
    stream[9:13] = bits.to_bytes(4, "little")
    return webp_file(webp_extended(28, 28), bytes(stream))


# TIFF

Tag = tuple[int, int, Sequence[int]]
SHORT, LONG, RATIONAL, UNDEFINED = 3, 4, 5, 7
CODES = {1: "B", 2: "B", SHORT: "H", LONG: "I", RATIONAL: "I", UNDEFINED: "B"}


def tiff_directory(tags: Sequence[Tag], position: int, following: int = 0, order: str = "<") -> bytes:
    """With its values behind it, to stand at `position`."""
    rows, values = [], b""
    behind = position + 2 + 12 * len(tags) + 4
    for tag, kind, numbers in sorted(tags):
        data = struct.pack(f"{order}{len(numbers)}{CODES[kind]}", *numbers)
        count = len(numbers) // (2 if kind == RATIONAL else 1)
        where = data.ljust(4, b"\0") if len(data) <= 4 else struct.pack(order + "I", behind + len(values))
        values += data if len(data) > 4 else b""
        rows.append(struct.pack(order + "HHI", tag, kind, count) + where)
    return struct.pack(order + "H", len(rows)) + b"".join(rows) + struct.pack(order + "I", following) + values


def tiff_file(
    data: bytes,
    *tags: Tag,
    size: tuple[int, int] = (28, 28),
    compression: int = 1,
    bits: int = 8,
    order: str = "<",
) -> bytes:
    """One strip of `data` in grey, but for what `tags` say otherwise."""
    plain: dict[int, Tag] = {
        256: (256, LONG, [size[0]]),
        257: (257, LONG, [size[1]]),
        258: (258, SHORT, [bits]),
        259: (259, SHORT, [compression]),
        262: (262, SHORT, [1]),
        273: (273, LONG, [8]),
        277: (277, SHORT, [1]),
        278: (278, LONG, [size[1]]),
        279: (279, LONG, [len(data)]),
    }
    if any(tag == 324 for tag, _, _ in tags):
        plain = {tag: value for tag, value in plain.items() if tag not in (273, 278, 279)}
    both = list((plain | {tag[0]: tag for tag in tags}).values())
    start = 8 + len(data) + len(data) % 2
    header = struct.pack(order + "2sHI", b"II" if order == "<" else b"MM", 42, start)
    return header + data.ljust(start - 8, b"\0") + tiff_directory(both, start, order=order)


def tiff_tile(side: int = 16_384) -> bytes:
    data = zlib.compress(bytes(side * side), 1)
    tile: list[Tag] = [(322, LONG, [side]), (323, LONG, [side]), (324, LONG, [8]), (325, LONG, [len(data)])]
    return tiff_file(data, *tile, compression=8)


def tiff_wide_strip() -> bytes:
    """Of 28 rows, in a strip that says to hold a thousand million."""
    return tiff_file(zlib.compress(bytes(100 * MEGABYTE), 9), (278, LONG, [1_000_000_000]), compression=8)


def tiff_strips(count: int, compression: int = 1) -> bytes:
    """A row each, all at the same place."""
    data = bytes(MEGABYTE)
    same: list[Tag] = [(273, LONG, [8] * count), (279, LONG, [len(data)] * count), (278, LONG, [1])]
    return tiff_file(data, *same, size=(16_000_000 // count, count), compression=compression)


def tiff_fax(width: int, height: int, compression: int = 3) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, 4 * MEGABYTE, np.uint8).tobytes()
    return tiff_file(noise, size=(width, height), compression=compression, bits=1)


def tiff_pages(count: int = 200_000) -> bytes:
    """Each directory has one entry and names the next."""
    first = tiff_file(bytes(784))
    start = struct.unpack("<I", first[4:8])[0]
    position = len(first) + len(first) % 2
    link = start + 2 + 12 * struct.unpack_from("<H", first, start)[0]
    whole = bytearray(first.ljust(position, b"\0"))
    struct.pack_into("<I", whole, link, position)
    row = struct.pack("<HHII", 256, LONG, 1, 28)
    pages = [struct.pack("<H", 1) + row + struct.pack("<I", position + 18 * (page + 1)) for page in range(count)]
    return bytes(whole) + b"".join(pages)


def tiff_entries(count: int = 65_000, kind: int = RATIONAL) -> bytes:
    """As many tags as fit, all with the same megabyte of values."""
    data = bytes(MEGABYTE)
    start = 8 + len(data)
    rows = b"".join(struct.pack("<HHII", tag, kind, MEGABYTE // 8, 8) for tag in range(count))
    return b"II*\0" + struct.pack("<I", start) + data + struct.pack("<H", count) + rows + bytes(4)


def tiff_same_data(size: int) -> bytes:
    """Every tag that is of use is `size` bytes, the same ones."""
    tags = [
        256,
        257,
        258,
        259,
        262,
        266,
        273,
        277,
        278,
        279,
        284,
        292,
        293,
        317,
        320,
        322,
        323,
        324,
        325,
        338,
        339,
        347,
    ]
    rows = b"".join(struct.pack("<HHII", tag, 1, size, 8) for tag in tags)
    return b"II*\0" + struct.pack("<I", 8 + size) + bytes(size) + struct.pack("<H", len(tags)) + rows + bytes(4)


def tiff_jpegs(scans: int) -> bytes:
    """A strip that is a progressive JPEG."""
    data = jpeg_scans((4000, 4000), scans)
    return tiff_file(data, size=(4000, 4000), compression=7)


def exif_of_rationals(count: int = 60_000) -> bytes:
    return b"Exif\0\0" + tiff_entries(count)


def exif_that_points_to_itself() -> bytes:
    """Its directories of GPS and of EXIF are the first again, its next one too."""
    tags: list[Tag] = [(0x8769, LONG, [8]), (0x8825, LONG, [8]), (0xA005, LONG, [8]), (0x0112, LONG, [3])]
    return b"II*\0" + struct.pack("<I", 8) + tiff_directory(tags, 8, following=8)


# What no reader should work on: refused, or read without the part that would cost.
HOSTILE: dict[str, Callable[[], bytes]] = {
    "PNG of 400,000 chunks": partial(png_many, b"teSt", b""),
    "PNG of 300,000 empty chunks of pixels": partial(png_many, b"IDAT", b""),
    "PNG of many palettes": partial(png_many, b"PLTE", bytes(768)),
    "PNG with a palette of a megabyte": lambda: png_file(png_chunk(b"PLTE", bytes(999_999)), colour=3),
    "PNG with transparency of a megabyte": lambda: png_file(png_chunk(b"tRNS", bytes(MEGABYTE))),
    "PNG of profiles that grow": png_profile_bomb,
    "PNG of texts that grow": partial(png_text_bomb, b"zTXt"),
    "PNG of international texts that grow": partial(png_text_bomb, b"iTXt"),
    "PNG of texts": partial(png_many, b"tEXt", b"key\0value"),
    "PNG of frames": png_frames,
    "PNG with EXIF of rationals": lambda: png_exif(tiff_entries(60_000)),
    "PNG with EXIF that points to itself": lambda: png_exif(exif_that_points_to_itself()),
    "PNG of pixels that grow": lambda: png_file(pixels=zlib.compress(bytes(100 * MEGABYTE), 9)),
    "PNG of pixels that grow, in colour": lambda: png_file(pixels=zlib.compress(bytes(100 * MEGABYTE), 9), colour=6),
    "PNG of one long row": lambda: png_file(size=(16_000_000, 1), depth=16, colour=6),
    "PNG of a claimed size": lambda: png_file(size=(2**31 - 1, 2**31 - 1), pixels=b""),
    "JPEG of 1.2 million empty segments": lambda: jpeg_with(jpeg_segment(0xE5) * 1_200_000),
    "JPEG of comments": lambda: jpeg_with(jpeg_segment(0xFE, b"x") * 900_000),
    "JPEG of segments that have no length": lambda: jpeg_with(b"\xff\xe5\0\0" * 1_200_000),
    "JPEG of tables": lambda: jpeg_with(jpeg_segment(0xDB, (b"\0" + b"\x01" * 64) * 1000) * 70),
    "JPEG of small tables": lambda: jpeg_with(jpeg_segment(0xDB, b"\0" + b"\x01" * 64) * 70_000),
    "JPEG of profiles": lambda: jpeg_with(jpeg_segment(0xE2, b"ICC_PROFILE\0\x01\xff" + bytes(100)) * 40_000),
    "JPEG of previews": lambda: jpeg_with(jpeg_segment(0xE2, b"MPF\0" + tiff_entries(50)[:60_000]) * 80),
    "JPEG with EXIF of rationals": lambda: jpeg_with(jpeg_segment(0xE1, exif_of_rationals(10)[:60_000]) * 80),
    "JPEG of fill before its frame": lambda: jpeg_with(b"\xff" * 4 * MEGABYTE),
    "JPEG of junk before its frame": lambda: jpeg_with(jpeg_segment(0xE5) + bytes(4 * MEGABYTE)),
    "JPEG of stuffing before its frame": lambda: jpeg_with(jpeg_segment(0xE5) + b"\xff\0" * 2 * MEGABYTE),
    "JPEG of restarts before its frame": lambda: jpeg_with(jpeg_segment(0xE5) + b"\xff\xd0" * 2 * MEGABYTE),
    "JPEG of fill in its scan": jpeg_filled,
    "JPEG of thousands of scans": partial(jpeg_scans, (4000, 4000), 20_000),
    "JPEG of a hundred scans": partial(jpeg_scans, (4000, 4000), 100),
    "JPEG of thousands of small scans": partial(jpeg_scans, (28, 28), 20_000),
    "JPEG of 128 million pixels in scans": jpeg_of_some_components,
    "JPEG of two frames": lambda: jpeg_with(jpeg_segment(0xC0, struct.pack(">B2H", 8, 9, 9) + b"\x01\x01\x11\0") * 9),
    "JPEG of a claimed size": lambda: jpeg_with(jpeg_segment(0xC2, struct.pack(">B2H", 8, 65_535, 65_535) + b"\x01")),
    "JPEG of arithmetic code": lambda: saved(WHITE, "JPEG").replace(b"\xff\xc0", b"\xff\xc9"),
    "GIF of comments": lambda: gif_file((b"!\xfe" + b"\xff" + b"c" * 255 + b"\0") * 18_000),
    "GIF of one long comment": lambda: gif_file(b"!\xfe" + b"\x01c" * 2 * MEGABYTE + b"\0"),
    "GIF of empty extensions": lambda: gif_file(b"!\x01\0" * 1_500_000),
    "GIF of junk": lambda: gif_file(b"\0" * 4 * MEGABYTE),
    "GIF in small blocks": gif_in_small_blocks,
    "GIF of frames": gif_frames,
    "GIF of a screen of 65,535 pixels": lambda: gif_file(screen=(65_535, 65_535)),
    "GIF of a frame larger than its screen": lambda: gif_file(frame=(65_535, 65_535)),
    "BMP of moves": lambda: bmp_file(b"\0\x02\xff\xff" * MEGABYTE, size=(4000, 4000)),
    "BMP of moves that go nowhere": lambda: bmp_file(b"\0\x02\0\0" * MEGABYTE, size=(4000, 4000)),
    "BMP of ends of lines": lambda: bmp_file(b"\0\0" * 2 * MEGABYTE, size=(1, 16_000_000)),
    "BMP of one pixel's runs": lambda: bmp_file(b"\x01\x01" * 2 * MEGABYTE, size=(4000, 4000)),
    "BMP of nibbles": lambda: bmp_file(b"\xff\x12" * 2 * MEGABYTE, size=(4000, 4000), bits=4, compression=2),
    "BMP of a claimed size": lambda: bmp_file(b"", size=(2**31 - 1, -(2**31) + 1), compression=0),
    "BMP of a negative width": lambda: bmp_file(b"", size=(-28, 28), compression=0),
    "BMP of a million colours": lambda: bmp_file(bytes(784), compression=0, colours=MEGABYTE, table=MEGABYTE),
    "WEBP of frames": partial(webp_frames, 50_000),
    "WEBP of a large canvas": partial(webp_frames, 2, 16_384, 16_384),
    "WEBP of a claimed size": partial(webp_of_claimed_size, 16_384, 16_384),
    "WEBP of chunks": lambda: webp_file(webp_extended(28, 28), webp_chunk(b"teSt", b"") * 500_000, webp_bitstream()),
    "WEBP with EXIF of rationals": lambda: webp_file(
        webp_extended(28, 28, 8), webp_bitstream(), webp_chunk(b"EXIF", tiff_entries(60_000))
    ),
    "TIFF of a large tile": tiff_tile,
    "TIFF of a large strip": tiff_wide_strip,
    "TIFF of a million strips": partial(tiff_strips, 400_000),
    "TIFF of strips over each other": partial(tiff_strips, 8_000, 8),
    "TIFF of a tall fax": partial(tiff_fax, 1, 16_000_000),
    "TIFF of a tall fax in two dimensions": partial(tiff_fax, 1, 16_000_000, 4),
    "TIFF of a tall fax in runs": partial(tiff_fax, 1, 16_000_000, 2),
    "TIFF of pages": tiff_pages,
    "TIFF of tags": tiff_entries,
    "TIFF of tags of bytes": partial(tiff_entries, 65_000, 1),
    "TIFF of a JPEG of thousands of scans": partial(tiff_jpegs, 10_000),
    "TIFF of tags that are all the file": lambda: tiff_same_data(3 * MEGABYTE),
    "TIFF with many values in a tag": lambda: tiff_file(bytes(784), (258, SHORT, [8] * MEGABYTE)),
    "TIFF of a claimed size": lambda: tiff_file(b"", size=(2**32 - 1, 2**32 - 1)),
    "TIFF of a million samples": lambda: tiff_file(bytes(784), (277, LONG, [MEGABYTE])),
    "TIFF of samples of many bits": lambda: tiff_file(bytes(784), bits=65_535),
    "TIFF of a directory with more entries than bytes": lambda: b"II+\0\x08\0\0\0" + struct.pack("<2Q", 16, 2**63),
    **HOSTILE_HEIF,
}

# As large as is allowed, and so read: each has to be read in time and memory that its size explains.
LARGEST: dict[str, Callable[[], bytes]] = {
    "PNG of 16 bits in four colours": lambda: png_file(size=(4000, 4000), depth=16, colour=6),
    "PNG interlaced": lambda: png_file(size=(4000, 4000), colour=6, interlaced=True, pixels=interlaced_pixels()),
    "PNG of a palette": lambda: saved(Image.new("P", (4000, 4000)), "PNG", transparency=bytes(256)),
    "PNG turned": lambda: saved(Image.new("RGBA", (4000, 4000)), "PNG", exif=turned()),
    "JPEG": lambda: saved(Image.new("RGB", (4000, 4000)), "JPEG"),
    "JPEG of 128 million pixels": lambda: saved(Image.new("CMYK", (11_300, 11_300)), "JPEG", subsampling=0),
    "JPEG of 25 scans": partial(jpeg_scans, (4000, 4000), 15, "RGB"),
    "JPEG in CMYK": lambda: saved(Image.new("CMYK", (4000, 4000)), "JPEG", progressive=True, subsampling=0),
    "JPEG of a strip in CMYK": lambda: saved(Image.new("CMYK", (64_000, 250)), "JPEG", progressive=True, subsampling=0),
    "GIF": lambda: saved(Image.new("P", (4000, 4000)), "GIF", transparency=0),
    "BMP": lambda: bmp_file(bytes(2_000_000), size=(4000, 4000), bits=1, compression=0, table=2),
    "BMP in runs": lambda: bmp_file((b"\xff\x01" * 15 + b"\xaf\x01\0\0") * 2900, size=(4000, 2900)),
    "WEBP": lambda: saved(Image.new("RGB", (4000, 4000)), "WEBP", method=0),
    "WEBP lossless, transparent": lambda: saved(Image.new("RGBA", (4000, 4000)), "WEBP", lossless=True, method=0),
    "TIFF of one strip": lambda: tiff_file(zlib.compress(bytes(32_000_000)), size=(4000, 4000), compression=8, bits=16),
    "TIFF of 8,000 strips": lambda: saved(
        Image.new("L", (2000, 8000)), "TIFF", compression="tiff_lzw", tiffinfo={278: 1}
    ),
    "TIFF of a long fax": partial(tiff_fax, 1600, 10_000),
    "TIFF of JPEG": lambda: saved(Image.new("RGB", (4000, 4000)), "TIFF", compression="jpeg"),
    **LARGEST_HEIF,
}


def interlaced_pixels() -> bytes:
    """Adam7's seven passes of a transparent 4000×4000."""
    steps = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    passes = [
        bytes((-((left - 4000) // across) * 4 + 1) * -((top - 4000) // down)) for left, top, across, down in steps
    ]
    return zlib.compress(b"".join(passes))


def turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif
