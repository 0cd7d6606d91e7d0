"""BMP: a file header, one of seven picture headers, colours and rows of pixels, these in runs where they are packed."""

import functools
import struct
from collections.abc import Iterator
from typing import NamedTuple

from service.picture.structure.limits import Limits, damaged
from service.picture.structure.stripped import Stripped

SIGNATURE = b"BM"
FILE_BYTES = 14
OLDEST_BYTES = 12
HEADER_BYTES = (OLDEST_BYTES, 40, 52, 56, 64, 108, 124)
OLDEST = struct.Struct("<2H2xH")
HEADER = struct.Struct("<Ii2xHI12xI")
PLAIN, RUNS_OF_BYTES, RUNS_OF_NIBBLES, MASKED = range(4)

# A code is a run of pixels or a move: so many times as many as there may be parts.
CODES_A_PART = 5


class Header(NamedTuple):
    """`height` is negative where the first row is the highest. `colours` as it stands there: 0 for all."""

    width: int
    height: int
    bits: int
    compression: int
    colours: int


def strip(content: bytes, limits: Limits) -> Stripped:
    """A file of runs is unpacked here, in time that its codes bound; decoders take long over moves and gaps."""
    header = read_header(content)
    width, height = header.width, abs(header.height)
    limits.check_size(width, height)
    if not width or not height:
        raise damaged("BMP", f"it is of {width}×{height} pixels")
    if header.bits not in (1, 4, 8, 16, 24, 32) or header.compression > MASKED:
        raise damaged("BMP", f"its compression is {header.compression} at {header.bits} bits a pixel")
    if header.bits <= 8 and header.colours > 1 << header.bits:
        raise damaged("BMP", f"it has {header.colours:,} colours at {header.bits} bits a pixel")
    if header.compression in (RUNS_OF_BYTES, RUNS_OF_NIBBLES):
        return Stripped("BMP", unpacked(content, header, limits), width, height)
    return Stripped("BMP", content, width, height)


def read_header(content: bytes) -> Header:
    size = int.from_bytes(content[FILE_BYTES : FILE_BYTES + 4], "little")
    if size not in HEADER_BYTES or len(content) < FILE_BYTES + size:
        raise damaged("BMP", "its header is damaged or cut off")
    if size == OLDEST_BYTES:
        width, height, bits = OLDEST.unpack_from(content, FILE_BYTES + 4)
        return Header(width, height, bits, PLAIN, 0)
    return Header(*HEADER.unpack_from(content, FILE_BYTES + 4))


def unpacked(content: bytes, header: Header, limits: Limits) -> bytes:
    """The same picture with a byte for each pixel."""
    expected = 8 if header.compression == RUNS_OF_BYTES else 4
    size = int.from_bytes(content[FILE_BYTES : FILE_BYTES + 4], "little")
    if header.bits != expected or header.height < 0 or size == OLDEST_BYTES:
        raise damaged("BMP", f"runs of {expected} bits a pixel cannot be in it")
    start = FILE_BYTES + size
    colours = content[start : start + 4 * (header.colours or 1 << header.bits)].ljust(4 * 256, b"\0")
    data = int.from_bytes(content[10:14], "little")
    pixels = unpack(content, data, header, limits)
    head = struct.pack("<IIi2H6I", 40, header.width, header.height, 1, 8, PLAIN, 0, 0, 0, 0, 0)
    offset = FILE_BYTES + len(head) + len(colours)
    return SIGNATURE + struct.pack("<3I", offset + len(pixels), 0, offset) + head + colours + pixels


def unpack(content: bytes, position: int, header: Header, limits: Limits) -> bytes:
    """Rows from the lowest up, each filled to a multiple of four bytes; pixels that no run names are 0."""
    width, height = header.width, header.height
    stride = width + -width % 4
    rows = bytearray(stride * height)
    x = y = 0
    for run, right, up in codes(content, position, header.compression == RUNS_OF_NIBBLES, limits):
        if x < width:
            start, shown = y * stride + x, min(len(run), width - x)
            rows[start : start + shown] = run[:shown]
        x, y = x + len(run) + right if right >= 0 else 0, y + up
        if y >= height or (y == height - 1 and x >= width):
            break
    return bytes(rows)


# Pixels, and a move to the right and up behind them; a negative one to the right is to the start of the row.
Code = tuple[bytes, int, int]
NEXT_ROW = b"", -1, 1


def codes(content: bytes, position: int, nibbles: bool, limits: Limits) -> Iterator[Code]:
    """Up to the end of the picture; raises Unreadable where that of the file comes first."""
    runs = longest_runs(nibbles)
    for _ in limits.budget("runs of pixels", (CODES_A_PART - 1) * limits.parts):
        code = content[position : position + 2]
        if len(code) < 2 or (code == b"\0\x02" and position + 4 > len(content)):
            break
        count, value = code
        position += 2
        if count:
            yield runs[value][:count], 0, 0
        elif value == 0:
            yield NEXT_ROW
        elif value == 1:
            return
        elif value == 2:
            yield b"", content[position], content[position + 1]
            position += 2
        else:
            length = (value + 1) // 2 if nibbles else value
            run = content[position : position + length]
            yield (halves(run)[:value] if nibbles else run), 0, 0
            position += length + length % 2
    raise damaged("BMP", "its runs end before its pixels do")


@functools.cache
def longest_runs(nibbles: bool) -> list[bytes]:
    """Of each value, as a byte or as two nibbles in turns."""
    return [halves(bytes([value])) * 128 if nibbles else bytes([value]) * 255 for value in range(256)]


def halves(packed: bytes) -> bytes:
    """A byte for each nibble."""
    return bytes(half for byte in packed for half in (byte >> 4, byte & 15))
