"""A BMP in runs is unpacked as Pillow unpacks it, and what its runs leave out is the first colour."""

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from service.picture.decode import decode
from service.picture.fault import Unreadable
from service.picture.structure.limits import Limits
from service.picture.structure.scan import strip
from tests.hostile import bmp_file

LIMITS = Limits(16_000_000)
END_OF_ROW, END = b"\0\0", b"\0\x01"


def packed(rows: np.ndarray, bits: int) -> bytes:
    """Each row as a run of its first pixel, one of single pixels as they are, and runs of the rest."""
    data = b""
    for row in rows[::-1].tolist():
        data += bytes([1, row[0] if bits == 8 else row[0] * 16])
        middle = row[1:6]
        if bits == 4:
            data += b"\0\x05" + bytes([middle[0] * 16 + middle[1], middle[2] * 16 + middle[3], middle[4] * 16, 0])
        else:
            data += b"\0\x05" + bytes(middle) + b"\0"
        data += b"".join(bytes([1, pixel if bits == 8 else pixel * 16]) for pixel in row[6:]) + END_OF_ROW
    return data[: -len(END_OF_ROW)] + END


@given(st.integers(6, 20), st.integers(1, 9), st.sampled_from([4, 8]), st.integers(0, 2**32 - 1))
def test_the_pixels_are_those_that_pillow_reads(width: int, height: int, bits: int, seed: int) -> None:
    rows = np.random.default_rng(seed).integers(0, 1 << bits, (height, width))
    compression = 1 if bits == 8 else 2
    content = bmp_file(packed(rows, bits), (width, height), bits, compression, table=1 << bits)
    ours = decode(strip(content, LIMITS), at_least=28).convert("RGB")
    assert np.array_equal(np.asarray(ours), np.asarray(Image.open(BytesIO(content)).convert("RGB")))
    assert np.array_equal(np.asarray(decode(strip(content, LIMITS), at_least=28)), rows)


def test_moves_leave_out_pixels() -> None:
    data = b"\x02\x09" + b"\0\x02\x03\x02" + b"\x04\x07" + END
    image = decode(strip(bmp_file(data, (8, 4)), LIMITS), at_least=28)
    expected = np.zeros((4, 8), np.uint8)
    expected[3, :2] = 9
    expected[1, 5:] = 7
    assert np.array_equal(np.asarray(image), expected)


@pytest.mark.parametrize("data", [b"", b"\x08", b"\x08\x01", b"\0\x02\x01", b"\x08\x01\0\0"])
def test_runs_that_end_too_early_are_a_fault(data: bytes) -> None:
    with pytest.raises(Unreadable, match="its runs end before its pixels do"):
        strip(bmp_file(data, (8, 4)), LIMITS)


def test_too_many_runs_are_a_fault() -> None:
    with pytest.raises(Unreadable, match="the file has more than 50 runs of pixels, which is the limit"):
        strip(bmp_file(b"\x01\x01" * 100, (200, 1)), Limits(pixels=1000, parts=10))
