"""A JPEG may have more pixels than are decoded, where its decoder holds no more than some rows of them."""

import io
import random
import struct

import pytest
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from service.picture.decode import decode
from service.picture.fault import FaultKind, Unreadable
from service.picture.structure.jpeg import reduction
from service.picture.structure.limits import Limits
from service.picture.structure.scan import strip
from service.picture.structure.stripped import Stripped
from tests.hostile import saved

LIMITS = Limits(10_000, least_side=50)


def jpeg(width: int, height: int, mode: str = "L", **options: object) -> bytes:
    return saved(Image.new(mode, (width, height)), "JPEG", **options)


def scan(content: bytes) -> Stripped:
    return strip(content, LIMITS)


def test_it_is_reduced_as_pillow_does() -> None:
    rng = random.Random(0)
    for _ in range(50):
        width, height, least = rng.randint(1, 900), rng.randint(1, 900), rng.randint(20, 200)
        image = JpegImageFile(io.BytesIO(jpeg(width, height)))
        image.draft(None, (least, least))
        times = reduction(width, height, least)
        assert image.size == (-(-width // times), -(-height // times))


@pytest.mark.parametrize(("width", "height"), [(280, 280), (200, 400), (400, 100)])
def test_the_pixels_count_that_are_decoded(width: int, height: int) -> None:
    content = jpeg(width, height)
    assert scan(content)[2:4] == (width, height)
    decoded = decode(scan(content), at_least=50)
    assert decoded.width * decoded.height <= 10_000


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (jpeg(99, 102), r"99×102 = 10,098 pixels; the limit is 10,000 \(NUMERAL_MAX_PIXELS\)"),
        (jpeg(2000, 60), "2000×60 = 120,000 pixels; the limit is 10,000"),
        (jpeg(600, 120), "reduced to 1/2, has 300×60 = 18,000 pixels; the limit is 10,000"),
        (jpeg(284, 284), r"284×284 = 80,656 pixels; the limit is 80,000 \(8 times NUMERAL_MAX_PIXELS\)"),
        (jpeg(200, 200, progressive=True), "several scans, has 200×200 = 40,000 pixels; the limit is 10,000"),
    ],
)
def test_what_is_too_large_is_said(content: bytes, said: str) -> None:
    with pytest.raises(Unreadable, match=said) as raised:
        scan(content)
    assert raised.value.fault.kind is FaultKind.TOO_LARGE


def test_a_scan_without_all_components_takes_the_memory_of_several() -> None:
    """A decoder waits for the others with all that it has."""
    content = jpeg(200, 200, "RGB", subsampling=0)
    assert scan(content).width == 200
    start = content.index(b"\xff\xda")
    one = b"\xff\xda" + struct.pack(">HB", 8, 1) + b"\x01\x00\x00\x3f\x00"
    with pytest.raises(Unreadable, match="several scans, has 200×200"):
        scan(content[:start] + one + content[start + 14 :])


def test_several_scans_that_are_not_progressive_are_held_too() -> None:
    content = jpeg(200, 200)
    with pytest.raises(Unreadable, match="several scans, has 200×200"):
        scan(content[:-2] + content[content.index(b"\xff\xda") :])
