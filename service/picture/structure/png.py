"""PNG: a signature, then chunks of length, kind, data and checksum (W3C Recommendation, third edition)."""

import struct

from service.picture.structure.directory import orientation_of
from service.picture.structure.limits import Limits, damaged
from service.picture.structure.stripped import Stripped

SIGNATURE = b"\x89PNG\r\n\x1a\n"
HEADER = struct.Struct(">I4s2I")
CHUNK = struct.Struct(">I4s")
# Bytes of a chunk around its data.
FRAME = 12
HEADER_END = len(SIGNATURE) + FRAME + 13
END = b"\0\0\0\0IEND\xaeB`\x82"

# Of a palette with its three bytes for each of 256 colours, and of the transparency of these.
MOST_BYTES = {b"PLTE": 768, b"tRNS": 256}


def strip(content: bytes, limits: Limits) -> Stripped:
    """Header, palette, transparency and pixels. What is missing at the end, the decoder says."""
    if len(content) < HEADER_END:
        raise damaged("PNG", "its header is cut off")
    length, kind, width, height = HEADER.unpack_from(content, len(SIGNATURE))
    if (length, kind) != (13, b"IHDR"):
        raise damaged("PNG", "its header is damaged")
    limits.check_size(width, height)
    kept, single, orientation, several = [content[:HEADER_END]], set[bytes](), None, False
    position = HEADER_END
    for _ in limits.budget("chunks"):
        if position + CHUNK.size > len(content):
            break
        length, kind = CHUNK.unpack_from(content, position)
        end = position + FRAME + length
        if kind == b"IDAT":
            kept.append(content[position:end])
        elif kind in MOST_BYTES and kind not in single:
            if length > MOST_BYTES[kind]:
                raise damaged("PNG", f"{kind.decode()} has {length:,} bytes; the format allows {MOST_BYTES[kind]}")
            single.add(kind)
            kept.append(content[position:end])
        elif kind == b"eXIf" and orientation is None:
            orientation = orientation_of(content[position + CHUNK.size : end - 4])
        elif kind in (b"fdAT", b"IEND"):
            several = kind == b"fdAT"  # pixels of a further frame
            break
        position = end
    complete = position + CHUNK.size <= len(content)
    return Stripped("PNG", b"".join(kept) + END * complete, width, height, orientation or 1, several)
