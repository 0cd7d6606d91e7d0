"""The plainest PNGs, small and in eight bits of grey: what those send who have cut their digits out already.

kornia-rs takes 3 µs for one; Pillow, whose PNG reader is written in Python, 24 until its pixels are numpy's.
"""

import struct
import zlib

import numpy as np
from kornia_rs.io import decode_image_png_u8
from numpy.typing import NDArray

from service.picture.grey import WORKING_SIDE

# What every PNG begins with; width, height; depth, colour and methods; checksum; length and name of the next chunk.
HEADER = struct.Struct(">16s2I5sII4s")
START = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
GREY = b"\x08\0\0\0\0"
END = b"\0\0\0\0IEND\xaeB`\x82"
# Where the header's bytes begin and end that its checksum is of, and those of the chunk of pixels.
HEADER_SUM, PIXELS_SUM = slice(12, 29), 37
CHECKSUM = 4

# Bytes around the compressed pixels of a small picture: more hold something else.
MOST_AROUND = 1024


def is_plain_png(content: bytes, max_pixels: int) -> bool:
    """Whether the file is of 8 bits of grey and up to `max_pixels`, needs no reducing, and has nothing that may turn,
    hide or repeat a picture: any other chunk than the header, one of pixels and the end. Nothing but that is looked at.
    """
    if len(content) < HEADER.size or not content.startswith(START):
        return False
    _, width, height, kind, _, length, second = HEADER.unpack_from(content)
    pixels = width * height
    return (
        kind == GREY
        and second == b"IDAT"
        and len(content) == HEADER.size + length + CHECKSUM + len(END)
        and content.endswith(END)
        and 0 < pixels <= max_pixels
        and length <= 2 * pixels + MOST_AROUND
        and max(width, height) <= WORKING_SIDE
    )


def read_plain_png(content: bytes, max_pixels: int) -> NDArray[np.uint8] | None:
    """uint8 [H, W]; None where the file is not plain, or damaged by its chunks' checksums.

    The checksum within the compressed pixels, which Pillow does look at, is not. Raises Exception itself, as kornia-rs
    has nothing more exact, where the compressed pixels are damaged.
    """
    if not is_plain_png(content, max_pixels):
        return None
    _, width, height, _, header_sum, length, _ = HEADER.unpack_from(content)
    end = HEADER.size + length
    if zlib.crc32(content[HEADER_SUM]) != header_sum:
        return None
    if zlib.crc32(content[PIXELS_SUM:end]) != int.from_bytes(content[end : end + CHECKSUM], "big"):
        return None
    pixels: NDArray[np.uint8] = decode_image_png_u8(content, (height, width), "mono")
    return pixels[..., 0]
