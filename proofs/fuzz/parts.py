"""Files as the parts that their format is made of, and files of such parts, with lengths and checksums that are right.

A part is what a reader looks at as one: a chunk, a segment, a box. Whatever is changed in one reaches the reader.
"""

import struct
import zlib
from collections.abc import Callable
from typing import NamedTuple


class Part(NamedTuple):
    kind: bytes
    data: bytes


class Format(NamedTuple):
    """`head`: bytes in front that stay as they are."""

    head: int
    part: Callable[[bytes], list[Part]]
    join: Callable[[list[Part]], bytes]


def png_parts(data: bytes) -> list[Part]:
    parts, place = [], 0
    while place + 8 <= len(data):
        (length,) = struct.unpack_from(">I", data, place)
        parts.append(Part(data[place + 4 : place + 8], data[place + 8 : place + 8 + length]))
        place += 12 + length
    return parts


def png_join(parts: list[Part]) -> bytes:
    return b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )


def jpeg_parts(data: bytes) -> list[Part]:
    """What follows the head of a scan belongs to it."""
    parts, place = [], 0
    while place + 4 <= len(data) and data[place] == 0xFF:
        marker, length = data[place : place + 2], int.from_bytes(data[place + 2 : place + 4], "big")
        end = place + 2 + length
        if marker == b"\xff\xda":
            while end + 1 < len(data) and (data[end] != 0xFF or data[end + 1] in (0, *range(0xD0, 0xD8))):
                end += 1
        parts.append(Part(marker, data[place + 4 : end]))
        place = end
    return [*parts, Part(b"", data[place:])]


def jpeg_join(parts: list[Part]) -> bytes:
    return b"".join(map(jpeg_segment, parts))


def jpeg_segment(part: Part) -> bytes:
    if not part.kind:
        return part.data
    # Of a scan the length is that of its head, which says itself how many components follow.
    head = 3 + 2 * part.data[0] + 1 if part.kind == b"\xff\xda" and part.data else len(part.data)
    return part.kind + struct.pack(">H", min(0xFFFF, 2 + head)) + part.data


def riff_parts(data: bytes) -> list[Part]:
    parts, place = [], 0
    while place + 8 <= len(data):
        (length,) = struct.unpack_from("<I", data, place + 4)
        parts.append(Part(data[place : place + 4], data[place + 8 : place + 8 + length]))
        place += 8 + length + length % 2
    return parts


def webp_parts(data: bytes) -> list[Part]:
    return riff_parts(data[8:])


def webp_join(parts: list[Part]) -> bytes:
    chunks = b"".join(kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for kind, data in parts)
    return struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks


def box_parts(data: bytes) -> list[Part]:
    parts, place = [], 0
    while place + 8 <= len(data):
        (length,) = struct.unpack_from(">I", data, place)
        length = length if length >= 8 else len(data) - place
        parts.append(Part(data[place + 4 : place + 8], data[place + 8 : place + length]))
        place += length
    return parts


def box_join(parts: list[Part]) -> bytes:
    return b"".join(struct.pack(">I", 8 + len(data)) + kind + data for kind, data in parts)


# Boxes of boxes, and how many bytes stand before the first of them.
CONTAINERS = {b"meta": 4, b"iprp": 0, b"ipco": 0, b"iinf": 6, b"iref": 4, b"moov": 0, b"trak": 0, b"ANMF": 16}

PARTED: dict[str, Format] = {
    "PNG": Format(8, png_parts, png_join),
    "JPEG": Format(2, jpeg_parts, jpeg_join),
    "WEBP": Format(4, webp_parts, webp_join),
    "HEIF": Format(0, box_parts, box_join),
    "AVIF": Format(0, box_parts, box_join),
}
