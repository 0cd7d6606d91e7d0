"""The quick way to a picture gives what Pillow gives, and leaves to it whatever is not plain."""

import zlib
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from service.model.artefact import load
from service.picture.decode import open_image
from service.picture.plain_png import read_plain_png
from service.web.classify import Prepared, read_grey, read_image
from tests.harness import ROOT, Digits, png

LIMIT = 1024


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


def test_a_damaged_file_is_left_to_pillow(digits: Digits) -> None:
    content = png(digits.pick(3))
    for place in range(len(content)):
        for change in (1, 128, 255):
            damaged = bytearray(content)
            damaged[place] ^= change
            assert read_plain_png(bytes(damaged), LIMIT) is None, f"byte {place}"


def test_what_both_read_of_damaged_pixels_is_the_same(digits: Digits) -> None:
    """The chunk's checksum is renewed, so that the damage gets as far as the decoder."""
    content = png(digits.pick(3))
    checksum = len(content) - 16
    read = 0
    for place, change in product(range(41, checksum), range(1, 256, 6)):
        damaged = bytearray(content)
        damaged[place] ^= change
        damaged[checksum : checksum + 4] = zlib.crc32(damaged[37:checksum]).to_bytes(4, "big")
        plain = read_plain_png(bytes(damaged), LIMIT)
        with suppress(OSError, SyntaxError):  # Pillow also looks at the checksum within
            by_pillow = np.asarray(Image.open(BytesIO(damaged)))
            read += 1
            assert plain is not None
            assert np.array_equal(plain, by_pillow)
    assert read > 10


@pytest.mark.parametrize("size", [(28, 28), (32, 32), (5, 128), (129, 5), (5, 200), (1, 1), (4, 30)])
def test_it_is_answered_as_by_the_way_through_pillow(size: tuple[int, int]) -> None:
    """Long ones are reduced there."""
    picture = Image.radial_gradient("L").resize(size).point(lambda level: 255 if 60 < level < 90 else 0)
    content = png(picture)
    artefact = load(ROOT / "exported/googlenet")
    slow = read_image(open_image(content, LIMIT), artefact, open_seconds=0)
    plain = read_plain_png(content, LIMIT)
    assert (plain is None) == (max(size) > 128)
    if plain is not None:
        quick = read_grey(plain, decode_seconds=0)
        assert isinstance(quick, Prepared)
        assert isinstance(slow, Prepared)
        assert quick.reason == slow.reason
        assert np.array_equal(quick.pixels, slow.pixels)  # type: ignore[arg-type]  # None equals None


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


ODD: dict[str, Callable[[Image.Image], bytes]] = {
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
