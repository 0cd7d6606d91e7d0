"""A picture of a digit becomes the digit that MNIST would hold, however it was taken."""

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageOps

from service import normalise as n
from service.artefact import load
from service.engine import Engine
from service.grey import WORKING_SIDE, to_grey
from tests.harness import ROOT, Digits, sample_digits

ENGINE = Engine(load(ROOT / "exported/googlenet"), "cpu", threads=1, max_batch=64)
Pixels = NDArray[np.uint8]


def read(image: Image.Image) -> int:
    """What the shipped GoogLeNet reads in the normalised image."""
    normalised = n.normalise(image)
    assert normalised.digit is not None, normalised.reason
    return int(ENGINE.run(normalised.digit[None])[0].argmax())


def on_paper(digit: Pixels, size: int = 120, offset: tuple[int, int] = (30, 30), zoom: int = 2) -> Pixels:
    """Dark ink on light grey paper: `digit` enlarged and laid at `offset` (row, column)."""
    ink = np.zeros((size, size), np.float64)
    large = np.asarray(Image.fromarray(digit).resize((28 * zoom, 28 * zoom), Image.Resampling.BICUBIC))
    ink[offset[0] : offset[0] + 28 * zoom, offset[1] : offset[1] + 28 * zoom] = large
    return (200 - ink * (150 / 255)).astype(np.uint8)


def test_canonical_digits_pass_unchanged(digits: Digits) -> None:
    same = [np.array_equal(n.normalise(Image.fromarray(digit)).digit, digit) for digit in digits.images[::25]]
    assert np.mean(same) > 0.98


@pytest.mark.parametrize("label", range(10))
def test_a_canonical_form_is_made(digits: Digits, label: int) -> None:
    digit = n.normalise(Image.fromarray(on_paper(digits.pick(label)))).digit
    assert digit is not None
    assert digit.shape == (28, 28)
    assert digit.dtype == np.uint8
    rows, columns = np.nonzero(digit > 40)
    assert max(np.ptp(rows), np.ptp(columns)) < 20
    centre = n.centre_of_mass(digit.astype(np.float32))
    assert all(abs(place - n.CENTRE) <= 1 for place in centre)


def test_mnist_on_paper_is_read_as_the_sample_is_labelled(digits: Digits) -> None:
    chosen = range(0, 5000, 25)
    right = [read(Image.fromarray(on_paper(digits.images[i]))) == digits.labels[i] for i in chosen]
    assert np.mean(right) >= 0.97


@settings(max_examples=60, deadline=None)
@given(
    label=st.integers(0, 9),
    row=st.integers(2, 60),
    column=st.integers(2, 60),
    inverted=st.booleans(),
    gradient=st.integers(-40, 40),
)
def test_place_polarity_and_light_do_not_change_the_answer(
    label: int, row: int, column: int, inverted: bool, gradient: int
) -> None:
    page = on_paper(sample_digits().pick(label), offset=(row, column)).astype(np.float64)
    page += np.linspace(-gradient, gradient, page.shape[1])
    pixels = np.clip(page, 0, 255).astype(np.uint8)
    assert read(Image.fromarray(255 - pixels if inverted else pixels)) == label


@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_eight_exif_orientations_are_undone(digits: Digits, orientation: int) -> None:
    upright = Image.fromarray(on_paper(digits.pick(4)))
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright.transpose(undo[orientation]) if orientation > 1 else upright
    stored.getexif()[0x0112] = orientation
    assert np.array_equal(to_grey(stored), to_grey(upright))


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "I;16", "I", "F"])
def test_every_mode_is_read(digits: Digits, mode: str) -> None:
    page = on_paper(digits.pick(3))
    if mode in ("I;16", "I", "F"):
        image = Image.fromarray(page.astype({"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]) * 200)
        assert image.mode == mode
    else:
        image = Image.fromarray(page).convert(mode)
    assert read(image) == 3


@pytest.mark.parametrize("level", [0, 255])
def test_ink_on_a_transparent_ground_is_read(digits: Digits, level: int) -> None:
    alpha = Image.fromarray(digits.pick(5)).resize((84, 84))
    image = Image.merge("LA", (Image.new("L", alpha.size, level), alpha))
    assert read(image) == 5


def test_box_lines_at_the_border_are_left_out(digits: Digits) -> None:
    page = on_paper(digits.pick(8))
    page[2:5, :] = page[:, 3:6] = 60
    assert read(Image.fromarray(page)) == 8


def test_a_speck_of_dirt_is_left_out(digits: Digits) -> None:
    page = on_paper(digits.pick(6))
    page[100:103, 100:103] = 40
    assert read(Image.fromarray(page)) == 6


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (3, 2), (28, 28), (500, 300)])
@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_blank_image_of_any_size_is_refused(size: tuple[int, int], level: int) -> None:
    normalised = n.normalise(Image.new("L", size, level))
    assert normalised.digit is None
    assert normalised.reason is not None
    assert normalised.reason.startswith("blank: ")


def test_paper_with_noise_alone_is_blank() -> None:
    noise = np.random.default_rng(0).normal(200, 4, (100, 80))
    assert n.normalise(Image.fromarray(noise.astype(np.uint8))).digit is None


@settings(max_examples=100, deadline=None)
@given(
    st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1), st.sampled_from(["1", "L", "P", "RGBA", "LA"])
)
def test_no_image_at_all_breaks_it(width: int, height: int, seed: int, mode: str) -> None:
    noise = np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)
    normalised = n.normalise(Image.fromarray(noise).convert(mode))
    assert (normalised.digit is None) == (normalised.reason is not None)


def test_a_photo_in_the_repository_is_read() -> None:
    with Image.open(ROOT / "digit.png") as photo:
        assert read(photo) == 2
        assert read(ImageOps.invert(photo.convert("RGB"))) == 2


def damaged_exif(kind: str) -> Image.Image:
    page = Image.fromarray(on_paper(sample_digits().pick(4)))
    buffer = BytesIO()
    page.save(buffer, kind, exif=b"Exif\0\0 no TIFF header")
    return Image.open(buffer)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "JPEG"])
def test_damaged_exif_says_nothing_and_the_digit_is_read(kind: str) -> None:
    assert read(damaged_exif(kind)) == 4


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3.4e38, -3.4e38, 1e-45])
@pytest.mark.parametrize("everywhere", [True, False])
def test_floats_that_are_no_brightness_break_nothing(digits: Digits, value: float, everywhere: bool) -> None:
    page = on_paper(digits.pick(4)).astype(np.float32)
    page[slice(None) if everywhere else slice(2)] = value
    normalised = n.normalise(Image.fromarray(page))
    assert (normalised.digit is None) == (normalised.reason is not None)


def test_a_large_picture_is_reduced_before_it_becomes_floats() -> None:
    assert to_grey(Image.new("RGBA", (4000, 3000))).size < 4 * WORKING_SIDE**2


@pytest.mark.parametrize(("old", "new"), [(5, 20), (20, 20), (28, 20), (31, 17), (128, 20), (1, 20), (100, 1)])
def test_resampling_is_pillows_bilinear_filter(old: int, new: int) -> None:
    line = np.random.default_rng(0).random((1, old)).astype(np.float32)
    theirs = np.asarray(Image.fromarray(line).resize((new, 1), Image.Resampling.BILINEAR))
    np.testing.assert_allclose(line @ n.resampling(old, new).T, theirs, atol=1e-5)
