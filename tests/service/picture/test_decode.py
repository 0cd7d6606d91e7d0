"""Files are known by their content; each way of being unreadable is a fault of its own kind."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from service.picture.decode import FORMATS, load_pixels, open_image
from service.picture.fault import FaultKind, Unreadable
from tests.harness import Digits, encode, png, png_header

LIMIT = 16_000_000


@pytest.mark.parametrize("kind", FORMATS)
def test_every_supported_format_decodes(digits: Digits, kind: str) -> None:
    image = open_image(encode(digits.pick(7), kind), LIMIT)
    load_pixels(image, at_least=28)
    assert image.size == (28, 28)
    if kind not in ("JPEG", "WEBP"):
        assert (np.asarray(image.convert("L")) == digits.pick(7)).all()


@pytest.mark.parametrize(
    "content", [b"hello", b"\x00" * 100, b"%PDF-1.7\n", b"<svg xmlns='http://www.w3.org/2000/svg'/>"]
)
def test_what_is_no_image_is_unsupported_and_the_formats_are_named(content: bytes) -> None:
    with pytest.raises(Unreadable, match="supported: PNG, JPEG, WEBP, BMP, GIF, TIFF") as raised:
        open_image(content, LIMIT)
    assert raised.value.fault.kind is FaultKind.UNSUPPORTED


def test_a_format_that_pillow_knows_and_we_do_not_is_unsupported(digits: Digits) -> None:
    with pytest.raises(Unreadable) as raised:
        open_image(encode(digits.pick(1), "PPM"), LIMIT)
    assert raised.value.fault.kind is FaultKind.UNSUPPORTED


def test_an_empty_file_is_empty() -> None:
    with pytest.raises(Unreadable, match="empty") as raised:
        open_image(b"", LIMIT)
    assert raised.value.fault.kind is FaultKind.EMPTY


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.8])
def test_a_truncated_file_is_damaged_wherever_it_ends(digits: Digits, kind: str, share: float) -> None:
    content = encode(Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)), kind)
    with pytest.raises(Unreadable, match="cannot be decoded") as raised:
        load_pixels(open_image(content[: int(len(content) * share)], LIMIT), at_least=28)
    assert raised.value.fault.kind is FaultKind.DAMAGED


def test_too_many_pixels_are_refused_by_the_header_alone() -> None:
    with pytest.raises(Unreadable, match=r"12000×12000 = 144,000,000 pixels; the limit is 16,000,000") as raised:
        open_image(png_header(12_000, 12_000), LIMIT)
    assert raised.value.fault.kind is FaultKind.TOO_LARGE


def test_exactly_the_limit_is_allowed() -> None:
    assert open_image(png(np.zeros((10, 10), np.uint8)), 100).size == (10, 10)
    with pytest.raises(Unreadable):
        open_image(png(np.zeros((10, 11), np.uint8)), 100)


def test_a_large_jpeg_is_decoded_reduced() -> None:
    image = open_image(encode(Image.new("L", (2000, 1600)), "JPEG"), LIMIT)
    load_pixels(image, at_least=320)
    assert 320 <= min(image.size) < 1000


@pytest.mark.parametrize(("texts", "allowed"), [(1, True), (2, False)])
def test_text_in_a_png_is_not_decompressed_without_end(digits: Digits, texts: int, allowed: bool) -> None:
    info = PngInfo()
    for i in range(texts):
        info.add_text(f"text {i}", "x" * 700_000, zip=True)
    picture = BytesIO()
    Image.fromarray(digits.pick(7)).save(picture, "PNG", pnginfo=info)
    assert len(picture.getvalue()) < 3_000
    if allowed:
        open_image(picture.getvalue(), LIMIT)
        return
    with pytest.raises(Unreadable, match="Too much memory used in text chunks") as raised:
        open_image(picture.getvalue(), LIMIT)
    assert raised.value.fault.kind is FaultKind.DAMAGED


def test_colours_without_a_grey_level_are_damaged() -> None:
    with pytest.raises(Unreadable, match="mode LAB; supported: ") as raised:
        open_image(encode(Image.new("LAB", (28, 28)), "TIFF"), LIMIT)
    assert raised.value.fault.kind is FaultKind.DAMAGED
