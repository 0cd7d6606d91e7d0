"""TIFF: a directory of tags says where the strips or tiles of the pixels lie, and what they are (TIFF 6.0)."""

import struct
from itertools import starmap
from math import ceil
from typing import NamedTuple

from service.picture.fault import FaultKind, Unreadable
from service.picture.structure import jpeg
from service.picture.structure.directory import ORIENTATION, Directory, Entry, orientation_of_tags, read_directory
from service.picture.structure.limits import Limits, damaged
from service.picture.structure.stripped import Stripped

SIGNATURES = (b"II\x2a\0", b"MM\0\x2a", b"II\x2b\0", b"MM\0\x2b")

WIDTH, HEIGHT, BITS, COMPRESSION, SAMPLES, PLANES = 256, 257, 258, 259, 277, 284
STRIP_OFFSETS, ROWS_A_STRIP, STRIP_BYTES = 273, 278, 279
TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_BYTES = 322, 323, 324, 325
JPEG_TABLES = 347
# Besides: photometric interpretation, fill order, options of CCITT, predictor, colour map, extra samples, sample
# format, and of YCbCr the coefficients, the subsampling and the reference levels. With the most values that one has.
COPIED = {262: 1, 266: 1, 292: 1, 293: 1, 317: 1, 320: 768, 338: 8, 339: 8, 529: 3, 530: 2, 532: 6}
ONE = {WIDTH, HEIGHT, COMPRESSION, SAMPLES, PLANES, ROWS_A_STRIP, TILE_WIDTH, TILE_HEIGHT}
PLACES = {STRIP_OFFSETS, STRIP_BYTES, TILE_OFFSETS, TILE_BYTES}
# Of a DNG, and where CR2 has it: raw photos are TIFFs whose first picture may be a thumbnail, which is no answer.
DNG_VERSION, CR2 = 50706, (8, b"CR")
WANTED = {BITS, JPEG_TABLES, ORIENTATION, DNG_VERSION, *COPIED, *ONE, *PLACES}

SHORT, LONG, UNDEFINED = 3, 4, 7

# None, LZW, deflate by its two numbers, PackBits, JPEG, and CCITT's three for fax.
JPEG_COMPRESSED, CCITT = 7, (2, 3, 4)
COMPRESSIONS = (1, *CCITT, 5, JPEG_COMPRESSED, 8, 32773, 32946)

# libtiff writes a line to standard error for every row of a fax that it cannot read, at three microseconds each. An A3
# page at 600 dots per inch has 9,921 rows.
MOST_FAX_ROWS = 10_000
# Tiles hang over the right and the lower edge: writers use tiles of 256 or 512 pixels a side for pictures of any size.
MOST_OVERHANG = 1024 * 1024
# Of a strip or tile, which libtiff unpacks whole: so many for each pixel that a picture may have.
MOST_BYTES_A_PIXEL = 4
MOST_BITS, MOST_SAMPLES = 64, 8
# One for each component; libtiff writes a single one.
MOST_SCANS = 4
JPEG_PIECE_PARTS = 64


class Pieces(NamedTuple):
    """The strips or tiles of a picture, each of `width` and `height`, the last of a row or column cut off or not."""

    width: int
    height: int
    tiled: bool
    offsets: tuple[int, ...]
    lengths: tuple[int, ...]


class Tags(NamedTuple):
    """A directory's values as numbers."""

    directory: Directory

    def many(self, tag: int, most: int) -> tuple[int, ...]:
        """Empty where the tag is not there."""
        entry = self.directory.entries.get(tag)
        if entry is None:
            return ()
        if entry.amount > most:
            raise Unreadable(
                FaultKind.TOO_LARGE, f"tag {tag} of the TIFF has {entry.amount:,} values; the limit is {most:,}"
            )
        numbers = entry.numbers(self.directory.layout.order)
        if not numbers:
            raise damaged("TIFF", f"the values of its tag {tag} lie outside of the file or are no numbers")
        return numbers

    def one(self, tag: int, default: int = 0) -> int:
        return (self.many(tag, 1) or (default,))[0]


def strip(content: bytes, limits: Limits) -> Stripped:
    """The pixels stay where they are; a new directory of the tags that make them a picture is put behind."""
    directory = read_directory(content, WANTED, limits)
    if DNG_VERSION in directory.entries or content.startswith(CR2[1], CR2[0]):
        raw = "the file is a raw photo of a camera (DNG or CR2); supported: what is made of it, such as a JPEG"
        raise Unreadable(FaultKind.UNSUPPORTED, raw)
    tags = Tags(directory)
    width, height = tags.one(WIDTH), tags.one(HEIGHT)
    limits.check_size(width, height)
    if not width or not height:
        raise damaged("TIFF", f"it is of {width}×{height} pixels")
    compression = tags.one(COMPRESSION, 1)
    if compression not in COMPRESSIONS:
        raise damaged(
            "TIFF", f"its compression is number {compression}; supported: {', '.join(map(str, COMPRESSIONS))}"
        )
    if compression in CCITT and height > MOST_FAX_ROWS:
        raise Unreadable(FaultKind.TOO_LARGE, f"the fax has {height:,} rows; the limit is {MOST_FAX_ROWS:,}")
    pieces = find_pieces(tags, len(content), limits)
    if compression == JPEG_COMPRESSED:
        check_jpegs(content, directory, pieces)
    whole = rebuilt(content, tags, pieces)
    several = directory.following not in (0, directory.start)
    return Stripped("TIFF", whole, width, height, orientation_of_tags(directory), several)


def find_pieces(tags: Tags, file_bytes: int, limits: Limits) -> Pieces:
    """Raises Unreadable where they are more, larger or elsewhere than the picture needs."""
    width, height = tags.one(WIDTH), tags.one(HEIGHT)
    tiled = STRIP_OFFSETS not in tags.directory.entries
    size = (
        (tags.one(TILE_WIDTH), tags.one(TILE_HEIGHT)) if tiled else (width, min(tags.one(ROWS_A_STRIP, height), height))
    )
    if not all(size):
        raise damaged("TIFF", "its strips or tiles have no size")
    check_piece(tags, *size, limits)
    across, down = ceil(width / size[0]), ceil(height / size[1])
    if across * size[0] * down * size[1] > width * height * 2 + MOST_OVERHANG:
        raise Unreadable(
            FaultKind.TOO_LARGE,
            f"the TIFF has tiles of {size[0]}×{size[1]} pixels, too many for its {width}×{height}: "
            f"beyond twice the picture they may have {MOST_OVERHANG:,}",
        )
    count = across * down * (tags.one(SAMPLES, 1) if tags.one(PLANES, 1) == 2 else 1)
    return Pieces(*size, tiled, *places(tags, tiled, count, file_bytes, limits))


def places(
    tags: Tags, tiled: bool, count: int, file_bytes: int, limits: Limits
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Offset and length of each piece. Overlapping ones would be unpacked again and again."""
    offsets = tags.many(TILE_OFFSETS if tiled else STRIP_OFFSETS, limits.parts)[:count]
    lengths = tags.many(TILE_BYTES if tiled else STRIP_BYTES, limits.parts)[:count]
    if not lengths and len(offsets) == 1:
        lengths = (max(0, file_bytes - offsets[0]),)
    if not len(offsets) == len(lengths) == count:
        raise damaged("TIFF", f"it has {len(offsets)} strips or tiles; {count:,} make its picture")
    if any(offset + length > file_bytes for offset, length in zip(offsets, lengths, strict=True)):
        raise damaged("TIFF", "its pixels lie outside of the file")
    if sum(lengths) > file_bytes:
        raise damaged("TIFF", "its strips or tiles lie over each other")
    return offsets, lengths


def check_piece(tags: Tags, width: int, height: int, limits: Limits) -> None:
    bits, samples = tags.many(BITS, MOST_SAMPLES) or (1,), tags.one(SAMPLES, 1)
    if max(bits) > MOST_BITS or not 0 < samples <= MOST_SAMPLES:
        raise damaged("TIFF", f"it has {samples} samples a pixel of {max(bits)} bits")
    unpacked = height * ceil(width * max(bits) * samples / 8)
    most = MOST_BYTES_A_PIXEL * limits.pixels
    if unpacked > most:
        raise Unreadable(
            FaultKind.TOO_LARGE,
            f"a strip or tile of the TIFF is {width}×{height} pixels of {unpacked:,} bytes; the limit is {most:,}",
        )


def check_jpegs(content: bytes, directory: Directory, pieces: Pieces) -> None:
    """Each piece is a JPEG of its own, and has to be a simple one; the tables may be common to all."""
    limits = Limits(pieces.width * pieces.height, JPEG_PIECE_PARTS)
    tables = directory.entries.get(JPEG_TABLES)
    spans = [content[offset : offset + length] for offset, length in zip(pieces.offsets, pieces.lengths, strict=True)]
    for span in [*spans, tables.data if tables else b""]:
        scans = 0
        for marker, start, end in jpeg.segments(span, limits):
            scans += marker == jpeg.START_OF_SCAN
            if marker == jpeg.PROGRESSIVE or scans > MOST_SCANS:
                raise damaged("TIFF", f"a JPEG in it is progressive or has more than {MOST_SCANS} scans")
            if jpeg.is_kept(marker, span, start, end) and marker in jpeg.FRAMES:
                limits.check_size(*jpeg.frame_size(span[start:end]), "a JPEG in the TIFF")


def rebuilt(content: bytes, tags: Tags, pieces: Pieces) -> bytes:
    """Classic TIFF in the byte order of `content`, because its pixels are in that too."""
    order, entries = tags.directory.layout.order, tags.directory.entries
    fields = {tag: field(order, LONG, (tags.one(tag),)) for tag in (WIDTH, HEIGHT)}
    fields[BITS] = field(order, SHORT, tags.many(BITS, MOST_SAMPLES) or (1,))
    for tag in (COMPRESSION, SAMPLES, PLANES):
        if tag in entries:
            fields[tag] = field(order, SHORT, (tags.one(tag),))
    if pieces.tiled:
        where = TILE_OFFSETS, TILE_BYTES
        fields |= {TILE_WIDTH: field(order, LONG, (pieces.width,)), TILE_HEIGHT: field(order, LONG, (pieces.height,))}
    else:
        where = STRIP_OFFSETS, STRIP_BYTES
        fields[ROWS_A_STRIP] = field(order, LONG, (pieces.height,))
    fields |= {tag: field(order, LONG, numbers) for tag, numbers in zip(where, pieces[-2:], strict=True)}
    for tag, most in COPIED.items():
        if tag in entries and entries[tag].amount <= most and entries[tag].data:
            fields[tag] = Entry(entries[tag].type, entries[tag].amount, entries[tag].data)
    if tables := JPEG_TABLES in entries and entries[JPEG_TABLES].data:
        fields[JPEG_TABLES] = Entry(UNDEFINED, len(tables), tables)
    return with_directory(content, order, fields)


def field(order: str, kind: int, numbers: tuple[int, ...]) -> Entry:
    try:
        data = struct.pack(f"{order}{len(numbers)}{'H' if kind == SHORT else 'I'}", *numbers)
    except struct.error as error:
        raise damaged("TIFF", f"a value in its directory is too large: {error}") from error
    return Entry(kind, len(numbers), data)


def with_directory(content: bytes, order: str, fields: dict[int, Entry]) -> bytes:
    """`content` with another header, and behind it the values of `fields` and a directory of them."""
    position = len(content) + len(content) % 2
    values, rows = [b"\0" * (len(content) % 2)], []
    for tag, (kind, count, data) in sorted(fields.items()):
        where = data.ljust(4, b"\0")
        if len(data) > 4:
            where = struct.pack(order + "I", position)
            values.append(data + b"\0" * (len(data) % 2))
            position += len(values[-1])
        rows.append((tag, kind, count, where))
    header = struct.pack(order + "2sHI", b"II" if order == "<" else b"MM", 42, position)
    directory = struct.pack(order + "H", len(rows)) + b"".join(starmap(struct.Struct(order + "HHI4s").pack, rows))
    return b"".join([header, content[len(header) :], *values, directory, bytes(4)])
