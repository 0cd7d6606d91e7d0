"""The quick way to a picture gives what Pillow gives, and leaves to it whatever is not plain."""

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from service.plain_png import read_plain_png
from tests.harness import Digits, png

LIMIT = 1024


def by_pillow(content: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(BytesIO(content)))


@given(st.integers(1, 32), st.integers(1, 32), st.integers(0, 9), st.integers(0, 2**32 - 1))
def test_the_pixels_are_those_of_pillow(width: int, height: int, level: int, seed: int) -> None:
    """At all levels of compression, which differ in filters and in blocks."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8).cumsum(axis=1, dtype=np.uint8)
    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=level)
    plain = read_plain_png(file.getvalue(), LIMIT)
    assert plain is not None
    assert plain.dtype == np.uint8
    assert np.array_equal(plain, pixels)


def test_a_changed_byte_is_never_read_otherwise_than_by_pillow(digits: Digits) -> None:
    content = png(digits.pick(3))
    read = 0
    for place in range(len(content)):
        for change in (1, 128, 255):
            changed = bytearray(content)
            changed[place] ^= change
            plain = read_plain_png(bytes(changed), LIMIT)
            if plain is not None:
                read += 1
                assert np.array_equal(plain, by_pillow(bytes(changed)))
    assert read < 10, "checksums cover all but a few bytes"


@pytest.mark.parametrize("length", [0, 1, 8, 33, 40, 41, 60, 200])
def test_a_part_of_a_file_is_left_to_pillow(digits: Digits, length: int) -> None:
    assert read_plain_png(png(digits.pick(3))[:length], LIMIT) is None


def with_text(image: Image.Image) -> bytes:
    info = PngInfo()
    info.add_text("Title", "three")
    return saved(image, pnginfo=info)


def turned(image: Image.Image) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved(image, exif=exif)


def saved(image: Image.Image, **options: object) -> bytes:
    file = BytesIO()
    image.save(file, "PNG", **options)
    return file.getvalue()


ODD = {
    "colour": lambda image: saved(image.convert("RGB")),
    "palette": lambda image: saved(image.convert("P")),
    "one bit": lambda image: saved(image.convert("1")),
    "sixteen bits": lambda image: saved(image.convert("I;16")),
    "grey and alpha": lambda image: saved(image.convert("LA")),
    "a transparent grey": lambda image: saved(image, transparency=0),
    "text": with_text,
    "turned by EXIF": turned,
    "several frames": lambda image: saved(image, save_all=True, append_images=[image.rotate(90)]),
    "bytes behind the end": lambda image: saved(image) + b"\0",
    "JPEG": lambda image: png(image).replace(b"PNG", b"JPG"),
}


@pytest.mark.parametrize("kind", ODD)
def test_what_is_not_plain_is_left_to_pillow(digits: Digits, kind: str) -> None:
    assert read_plain_png(ODD[kind](Image.fromarray(digits.pick(3))), LIMIT) is None


def test_a_larger_picture_is_left_to_pillow(digits: Digits) -> None:
    assert read_plain_png(png(digits.pick(3)), 28 * 28 - 1) is None
    assert read_plain_png(png(digits.pick(3)), 28 * 28) is not None
