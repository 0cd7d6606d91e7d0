"""A picture is turned as EXIF says."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from service.picture.decode import decode
from service.picture.prepare import Wanted, prepare
from service.picture.structure.limits import Limits
from service.picture.structure.scan import strip
from service.picture.upright import upright
from tests.harness import Digits

UNDO = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
PAGE = Image.linear_gradient("L").crop((0, 40, 60, 140))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_eight_orientations_are_undone(orientation: int) -> None:
    turn = UNDO[orientation]
    stored = PAGE.transpose(turn) if turn is not None else PAGE
    assert np.array_equal(np.asarray(upright(stored, orientation)), np.asarray(PAGE))


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "JPEG", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_file_is_turned(kind: str, orientation: int) -> None:
    exif, turn, file = Image.Exif(), UNDO[orientation], BytesIO()
    exif[0x0112] = orientation
    stored = PAGE.transpose(turn) if turn is not None else PAGE
    stored.save(file, kind, exif=exif, **({"lossless": True} if kind == "WEBP" else {}))
    image = decode(strip(file.getvalue(), Limits(16_000_000)), at_least=1000)
    assert np.abs(np.asarray(image.convert("L"), np.int16) - np.asarray(PAGE)).max() < 5


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "JPEG"])
@pytest.mark.parametrize("exif", [b"Exif\0\0 no TIFF header", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff", b"Exif\0\0"])
def test_damaged_exif_says_nothing_and_the_digit_is_read(digits: Digits, kind: str, exif: bytes) -> None:
    page = Image.fromarray(255 - digits.pick(4)).resize((90, 90))
    plain, file = BytesIO(), BytesIO()
    page.save(plain, kind)
    page.save(file, kind, exif=exif)
    wanted = Wanted(reads_digits=True, shape=(28, 28), max_pixels=16_000_000)
    assert np.array_equal(prepare(file.getvalue(), wanted).pixels, prepare(plain.getvalue(), wanted).pixels)  # type: ignore[arg-type]  # a digit each
