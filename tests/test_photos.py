"""Photos as phones take them, at their full size, are read as what they were taken of."""

from io import BytesIO

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.harness import ROOT, Digits, assert_problem, encode


def photo(width: int, height: int) -> Image.Image:
    """digit.png in the middle of a sheet, with the grain of a sensor."""
    with Image.open(ROOT / "digit.png") as digit:
        sheet = digit.convert("L").resize((width // 8, height // 8), Image.Resampling.BICUBIC)
    grain = np.random.default_rng(0).normal(0, 3, (height // 8, width // 8))
    rough = Image.fromarray((np.asarray(sheet) + grain).clip(0, 255).astype(np.uint8))
    return rough.resize((width, height), Image.Resampling.BILINEAR).convert("RGB")


@pytest.fixture(scope="module")
def of_48_megapixels() -> Image.Image:
    return photo(8064, 6048)


def jpeg(image: Image.Image, **options: object) -> bytes:
    file = BytesIO()
    image.save(file, "JPEG", **options)
    return file.getvalue()


def test_a_jpeg_of_48_megapixels_is_read(client: httpx.Client, of_48_megapixels: Image.Image) -> None:
    content = jpeg(of_48_megapixels, quality=95)
    assert len(content) > 2_000_000
    answer = client.post("/classify", files={"image": ("IMG_0001.JPG", content)}).json()
    assert (answer["digit"], answer["accepted"]) == (2, True)


def test_one_that_a_decoder_would_hold_whole_is_too_large(client: httpx.Client, of_48_megapixels: Image.Image) -> None:
    response = client.post("/classify", content=jpeg(of_48_megapixels, progressive=True))
    assert_problem(response, 413, "a JPEG of several scans, has 8064×6048 = 48,771,072 pixels; the limit is 16,000,000")


@pytest.mark.parametrize(("kind", "brand"), [("HEIF", b"ftypheic"), ("AVIF", b"ftypavif")])
def test_what_phones_save_in_place_of_jpeg_is_read(client: httpx.Client, kind: str, brand: bytes) -> None:
    image = photo(2016, 1512).rotate(90, expand=True)
    image.getexif()[0x0112] = 6  # which its writers turn into a box of their own
    content = BytesIO()
    image.save(content, kind, **({"exif": image.getexif()} if kind == "AVIF" else {"tile_size": 512}))
    assert content.getvalue()[4:12] == brand
    answer = client.put("/classify/IMG_0002.HEIC", content=content.getvalue()).json()
    assert (answer["digit"], answer["accepted"], answer["file"]) == (2, True, "IMG_0002.HEIC")


@pytest.mark.parametrize("kind", ["HEIF", "AVIF"])
def test_of_several_frames_the_first_is_read(client: httpx.Client, digits: Digits, kind: str) -> None:
    frames = [Image.fromarray(digits.pick(label)).resize((112, 112)) for label in (3, 8)]
    file = BytesIO()
    frames[0].save(file, kind, save_all=True, append_images=frames[1:])
    answer = client.post("/classify", content=file.getvalue()).json()
    assert (answer["digit"], answer["note"]) == (3, "only the first of several frames was read")


@pytest.mark.parametrize("kind", ["HEIF", "AVIF"])
@pytest.mark.parametrize("share", [0.3, 0.7, 0.95])
def test_a_truncated_one_is_422_and_its_format_is_named(client: httpx.Client, kind: str, share: float) -> None:
    content = encode(photo(256, 192), kind)
    response = client.post("/classify", content=content[: int(len(content) * share)])
    assert_problem(response, 422, "the file starts as ")
    assert kind in response.json()["detail"]
