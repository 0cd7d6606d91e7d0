"""WebP: a RIFF container with chunks of kind, length and data (RFC 9649)."""

import struct
from collections.abc import Iterator

from service.picture.structure.directory import orientation_of
from service.picture.structure.limits import Limits, damaged
from service.picture.structure.stripped import Stripped

CHUNK = struct.Struct("<4sI")
RIFF = 12
BITSTREAMS = (b"VP8 ", b"VP8L")
# Of the extended header's flags: there is transparency, there are frames. Of a frame: its place, size and duration.
ALPHA, ANIMATION = 0x10, 0x02
EXTENDED_BYTES, FRAME_BYTES = 10, 16

Chunks = dict[bytes, bytes]


def strip(content: bytes, limits: Limits) -> Stripped:
    """A still picture's bitstream and transparency; of an animation the first frame alone."""
    budget = limits.budget("chunks")
    content = content[: CHUNK.size + int.from_bytes(content[4:8], "little")]
    kind, data = content[RIFF : RIFF + 4], content[RIFF + CHUNK.size : RIFF + CHUNK.size + EXTENDED_BYTES]
    if kind in BITSTREAMS:
        limits.check_size(*size_of({kind: data}))
        chunks, _ = first_of_each(content, RIFF, budget, stop_at=kind)
        return Stripped("WEBP", riff(picture(chunks, limits)), *size_of(chunks))
    if kind != b"VP8X" or len(data) < EXTENDED_BYTES:
        raise damaged("WEBP", "its header is damaged or cut off")
    width, height = (int.from_bytes(data[place : place + 3], "little") + 1 for place in (4, 7))
    limits.check_size(width, height)
    chunks, several = first_of_each(content, RIFF, budget, stop_at=b"")
    moving = b"ANMF" in chunks and b"ANIM" in chunks
    body = animation(chunks, limits, budget) if moving else picture(chunks, limits)
    flags = data[0] & (ALPHA | ANIMATION if moving else ALPHA)
    header = chunk(b"VP8X", bytes([flags]) + data[1:])
    orientation = orientation_of(chunks.get(b"EXIF", b""))
    return Stripped("WEBP", riff(header + body), width, height, orientation, several)


def first_of_each(content: bytes, position: int, budget: Iterator[int], stop_at: bytes) -> tuple[Chunks, bool]:
    """The data of each kind's first chunk, up to one of `stop_at` or a second frame; and whether there is a second."""
    chunks: Chunks = {}
    for _ in budget:
        if position + CHUNK.size > len(content):
            break
        kind, length = CHUNK.unpack_from(content, position)
        if kind == b"ANMF" and kind in chunks:
            return chunks, True
        start = position + CHUNK.size
        if kind not in chunks:
            if start + length > len(content):
                raise damaged("WEBP", f"its chunk {kind!r} of {length:,} bytes is cut off")
            chunks[kind] = content[start : start + length]
        if kind == stop_at:
            break
        position = start + length + length % 2
    return chunks, False


def animation(chunks: Chunks, limits: Limits, budget: Iterator[int]) -> bytes:
    frame = chunks[b"ANMF"]
    inner, _ = first_of_each(frame, FRAME_BYTES, budget, stop_at=b"")
    first = chunk(b"ANMF", frame[:FRAME_BYTES] + picture(inner, limits))
    return chunk(b"ANIM", chunks[b"ANIM"]) + first


def picture(chunks: Chunks, limits: Limits) -> bytes:
    """The chunks of one picture; its bitstream has a size of its own."""
    limits.check_size(*size_of(chunks))
    kinds = (b"VP8L",) if b"VP8 " not in chunks else (b"ALPH", b"VP8 ")
    return b"".join(chunk(kind, chunks[kind]) for kind in kinds if kind in chunks)


def size_of(chunks: Chunks) -> tuple[int, int]:
    """Width and height in the header of a bitstream, lossy or not."""
    if b"VP8 " in chunks:
        data = chunks[b"VP8 "]
        if len(data) >= 10 and data[3:6] == b"\x9d\x01\x2a":
            return int.from_bytes(data[6:8], "little") & 0x3FFF, int.from_bytes(data[8:10], "little") & 0x3FFF
    elif b"VP8L" in chunks:
        data = chunks[b"VP8L"]
        if len(data) >= 5 and data[0] == 0x2F:
            bits = int.from_bytes(data[1:5], "little")
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    raise damaged("WEBP", "it has no bitstream, or one with a damaged header")


def chunk(kind: bytes, data: bytes) -> bytes:
    return CHUNK.pack(kind, len(data)) + data + b"\0" * (len(data) % 2)


def riff(chunks: bytes) -> bytes:
    return CHUNK.pack(b"RIFF", 4 + len(chunks)) + b"WEBP" + chunks
