"""The plainest PNGs, small and in eight bits of grey: what those send who have cut their digits out already.

kornia-rs takes 3 µs for one; Pillow, whose PNG reader is written in Python, 24 until its pixels are numpy's.
"""

import struct
import zlib

import numpy as np
from kornia_rs.io import decode_image_png_u8
from numpy.typing import NDArray

from service.picture.grey import WORKING_SIDE

# Width and height; depth, colour and methods; checksum; length and name of the chunk behind the header.
HEADER = struct.Struct(">2I5s4xI4s")
START = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
GREY = b"\x08\0\0\0\0"
END = b"\0\0\0\0IEND\xaeB`\x82"
PIXELS = len(START) + HEADER.size
CHECKSUM = 4
AROUND_PIXELS = PIXELS + CHECKSUM + len(END)

# Bytes around the compressed pixels of a small picture: more hold something else.
MOST_AROUND = 1024


def is_plain_png(content: bytes, max_pixels: int) -> bool:
    """Whether the file is of 8 bits of grey and up to `max_pixels`, needs no reducing, and has nothing that may turn,
    hide or repeat a picture: any other chunk than the header, one of pixels and the end. Nothing but that is looked at.
    """
    if len(content) < AROUND_PIXELS or not content.startswith(START):
        return False
    width, height, kind, length, second = HEADER.unpack_from(content, len(START))
    pixels = width * height
    return (
        kind == GREY
        and second == b"IDAT"
        and len(content) == AROUND_PIXELS + length
        and 0 < pixels <= max_pixels
        and length <= 2 * pixels + MOST_AROUND
        and width <= WORKING_SIDE
        and height <= WORKING_SIDE
        and content.endswith(END)
    )


def read_plain_png(content: bytes, max_pixels: int) -> NDArray[np.uint8] | None:
    """uint8 [H, W]; None where the file is not plain, or the checksum of its pixels is wrong, which Pillow forgives.

    The one within the compressed pixels, which Pillow does look at, is not. Raises Exception itself, as kornia-rs has
    nothing more exact, where anything else is damaged.
    """
    if not is_plain_png(content, max_pixels):
        return None
    width, height, _, _, _ = HEADER.unpack_from(content, len(START))
    end = len(content) - len(END) - CHECKSUM
    if zlib.crc32(content[PIXELS - CHECKSUM : end]) != int.from_bytes(content[end : end + CHECKSUM], "big"):
        return None
    pixels: NDArray[np.uint8] = decode_image_png_u8(content, (height, width), "mono")
    return pixels[..., 0]
