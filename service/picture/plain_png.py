"""The plainest PNGs, small and in eight bits of grey: what those send who have cut their digits out already.

kornia-rs takes 3 µs for one; Pillow, whose PNG reader is written in Python, 24 until its pixels are numpy's.
"""

import struct

import numpy as np
from kornia_rs.io import decode_image_png_u8
from numpy.typing import NDArray

from service.picture.grey import WORKING_SIDE

HEADER = struct.Struct(">16s2I5s4xI4s")
"""What every PNG begins with; width and height; depth, colour and methods; length and name of the second chunk."""

START = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
GREY = b"\x08\0\0\0\0"
END = b"\0\0\0\0IEND\xaeB`\x82"
CHECKSUM = 4


def read_plain_png(content: bytes, max_pixels: int) -> NDArray[np.uint8] | None:
    """uint8 [H, W], which need no reducing.

    None where the file is larger, damaged by its chunks' checksums, or has anything that may turn, hide or repeat a
    picture: any other chunk than the header, one of pixels and the end. The checksum within the compressed pixels,
    which Pillow does look at, is not.
    """
    if len(content) < HEADER.size or not content.startswith(START):
        return None
    _, width, height, kind, length, second = HEADER.unpack_from(content)
    whole = len(content) == HEADER.size + length + CHECKSUM + len(END) and content.endswith(END)
    if kind != GREY or second != b"IDAT" or not whole:
        return None
    if width * height > max_pixels or max(width, height) > WORKING_SIDE:
        return None
    try:
        pixels: NDArray[np.uint8] = decode_image_png_u8(content, (height, width), "mono")
    except Exception:  # it raises nothing more exact
        return None
    return pixels[..., 0]
