"""A picture of a digit becomes the digit that MNIST would hold, however it was taken."""

import re
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageOps

from service.model.artefact import load
from service.model.engine import Engine
from service.picture.candidates import agreed
from service.picture.canonical import CENTRE, centre_of_mass
from service.picture.contrast import by_contrast
from service.picture.grey import WORKING_SIDE, to_grey
from service.picture.normalise import normalise
from tests.harness import ROOT, Digits, sample_digits

ENGINE = Engine(load(ROOT / "exported/googlenet"), "cpu", threads=1, max_batch=64)
Pixels = NDArray[np.uint8]


def read(image: Image.Image) -> int:
    """What the shipped GoogLeNet reads in the candidates for the image."""
    normalised = normalise(image)
    assert normalised.digits is not None, normalised.reason
    probabilities = agreed(ENGINE.run(normalised.digits).tolist())
    return probabilities.index(max(probabilities))


def on_paper(digit: Pixels, size: int = 120, offset: tuple[int, int] = (30, 30), zoom: int = 2) -> Pixels:
    """Dark ink on light grey paper: `digit` enlarged and laid at `offset` (row, column)."""
    ink = np.zeros((size, size), np.float64)
    large = np.asarray(Image.fromarray(digit).resize((28 * zoom, 28 * zoom), Image.Resampling.BICUBIC))
    ink[offset[0] : offset[0] + 28 * zoom, offset[1] : offset[1] + 28 * zoom] = large
    return (200 - ink * (150 / 255)).astype(np.uint8)


def test_canonical_digits_pass_unchanged(digits: Digits) -> None:
    chosen = digits.images[::25]
    made = [normalise(Image.fromarray(digit)).digits for digit in chosen]
    same = [again is not None and np.array_equal(again, digit[None]) for again, digit in zip(made, chosen, strict=True)]
    assert np.mean(same) > 0.98


@pytest.mark.parametrize("label", range(10))
def test_a_canonical_form_is_made(digits: Digits, label: int) -> None:
    candidates = normalise(Image.fromarray(on_paper(digits.pick(label)))).digits
    assert candidates is not None
    assert candidates.shape[1:] == (28, 28)
    assert candidates.dtype == np.uint8
    for digit in candidates:
        rows, columns = np.nonzero(digit > 40)
        assert max(np.ptp(rows), np.ptp(columns)) < 20
        centre = centre_of_mass(digit.astype(np.float32))
        assert all(abs(place - CENTRE) <= 1 for place in centre)


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


@pytest.mark.parametrize(
    "mode", ["1", "L", "P", "RGB", "RGBA", "LA", "La", "PA", "CMYK", "YCbCr", "HSV", "I;16", "I", "F"]
)
def test_every_mode_is_read(digits: Digits, mode: str) -> None:
    page = on_paper(digits.pick(3))
    if mode in ("I;16", "I", "F"):
        image = Image.fromarray(page.astype({"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]) * 200)
        assert image.mode == mode
    else:
        image = Image.fromarray(page).convert("LA" if mode == "La" else "RGB" if mode == "HSV" else "L").convert(mode)
    assert image.mode == mode
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


@pytest.mark.parametrize("line", [np.s_[2:5, 20:70], np.s_[20:90, 3:6], np.s_[-4:-1, 60:100]])
def test_a_bit_of_a_line_at_the_border_alone_is_blank(line: tuple[slice, slice]) -> None:
    page = np.full((120, 120), 200, np.uint8)
    page[line] = 60
    normalised = normalise(Image.fromarray(page))
    assert normalised.reason == "blank: only lines or dirt at the border"


def test_a_speck_of_dirt_is_left_out(digits: Digits) -> None:
    page = on_paper(digits.pick(6))
    page[100:103, 100:103] = 40
    assert read(Image.fromarray(page)) == 6


@pytest.mark.parametrize("size", [(5, 5), (5, 40), (28, 28), (500, 300)])
@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_blank_image_of_any_size_is_refused(size: tuple[int, int], level: int) -> None:
    normalised = normalise(Image.new("L", size, level))
    assert normalised.digits is None
    assert normalised.reason is not None
    assert normalised.reason.startswith("blank: ")


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (3, 2)])
def test_a_picture_of_next_to_no_pixels_is_refused(size: tuple[int, int]) -> None:
    pixels = np.full(size[::-1], 255, np.uint8)
    pixels.flat[: pixels.size // 2] = 0
    assert reason_of(Image.fromarray(pixels)) == f"too small: {size[0]}×{size[1]} pixels; 5 a side are needed"


def test_a_strip_is_refused_as_one() -> None:
    assert reason_of(Image.new("L", (1000, 20), 255)).startswith("too narrow: 1000×20 pixels are a strip")


def test_a_digit_lost_in_a_large_picture_is_found_or_refused(digits: Digits) -> None:
    assert read(Image.fromarray(on_paper(digits.pick(6), size=800, offset=(400, 300)))) == 6
    page = on_paper(digits.pick(6), size=2400, offset=(500, 500))
    assert reason_of(Image.fromarray(page)).startswith("too small: the digit takes up 2% of the picture's side")


@pytest.mark.parametrize("darkening", [0.2, 0.4, 0.6])
def test_corners_darkened_by_the_lens_are_no_ink(digits: Digits, darkening: float) -> None:
    y, x = np.mgrid[-1:1:120j, -1:1:120j]
    for label in range(10):
        page = on_paper(digits.pick(label)) * (1 - darkening * (x * x + y * y) / 2)
        assert read(Image.fromarray(page.astype(np.uint8))) == label


def test_an_overexposed_half_is_no_sign_of_a_drawing(digits: Digits) -> None:
    light = np.linspace(150, 0, 120)[None, :]
    for label in range(10):
        page = np.clip(on_paper(digits.pick(label)).astype(np.float64) + light, 0, 255)
        assert read(Image.fromarray(page.astype(np.uint8))) == label


def test_a_hot_pixel_in_sixteen_bits_hides_nothing(digits: Digits) -> None:
    page = on_paper(digits.pick(3)).astype(np.uint16) * 20
    page[5, 5] = 65535
    assert read(Image.fromarray(page)) == 3


def test_paper_with_noise_alone_is_blank() -> None:
    noise = np.random.default_rng(0).normal(200, 4, (100, 80))
    assert normalise(Image.fromarray(noise.astype(np.uint8))).digits is None


@settings(max_examples=100, deadline=None)
@given(
    st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1), st.sampled_from(["1", "L", "P", "RGBA", "LA"])
)
def test_no_image_at_all_breaks_it(width: int, height: int, seed: int, mode: str) -> None:
    noise = np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)
    normalised = normalise(Image.fromarray(noise).convert(mode))
    assert (normalised.digits is None) == (normalised.reason is not None)


def test_a_photo_in_the_repository_is_read() -> None:
    with Image.open(ROOT / "digit.png") as photo:
        assert read(photo) == 2
        assert read(ImageOps.invert(photo.convert("RGB"))) == 2


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3.4e38, -3.4e38, 1e-45])
@pytest.mark.parametrize("everywhere", [True, False])
def test_floats_that_are_no_brightness_break_nothing(digits: Digits, value: float, everywhere: bool) -> None:
    page = on_paper(digits.pick(4)).astype(np.float32)
    page[slice(None) if everywhere else slice(2)] = value
    normalised = normalise(Image.fromarray(page))
    assert (normalised.digits is None) == (normalised.reason is not None)


def test_a_large_picture_is_reduced_before_it_becomes_floats() -> None:
    assert to_grey(Image.new("RGBA", (4000, 3000))).size < 4 * WORKING_SIDE**2


def page_of(texts: list[tuple[int, int, int]], size: tuple[int, int] = (120, 200)) -> Image.Image:
    """Grey paper with digits of the sample on it, each (label, row, column)."""
    ink = np.zeros(size, np.uint8)
    for label, row, column in texts:
        large = np.asarray(Image.fromarray(sample_digits().pick(label)).resize((56, 56)))
        np.maximum(ink[row : row + 56, column : column + 56], large, out=ink[row : row + 56, column : column + 56])
    return Image.fromarray((200 - ink * (150 / 255)).astype(np.uint8))


def reason_of(image: Image.Image) -> str:
    normalised = normalise(image)
    assert normalised.digits is None
    assert normalised.reason is not None
    return normalised.reason


@pytest.mark.parametrize("labels", [(1, 7), (2, 0), (4, 4), (8, 3)])
@pytest.mark.parametrize("place", [(32, 100), (120, 40), (120, 110)])
def test_several_digits_are_refused(labels: tuple[int, int], place: tuple[int, int]) -> None:
    page = page_of([(labels[0], 30, 40), (labels[1], *place)], size=(200, 200))
    assert reason_of(page).startswith("several digits: ")


def test_a_digit_beside_a_small_one_or_a_tall_line_is_read(digits: Digits) -> None:
    page = np.array(page_of([(5, 30, 60)]))
    page[10:110, 150:154] = 50
    page[80:86, 40:46] = 50
    assert read(Image.fromarray(page)) == 5


def test_a_page_of_text_is_refused() -> None:
    page = Image.new("L", (300, 300), 230)
    text = "\n".join(["the quick brown fox jumps over 13 lazy dogs"] * 20)
    ImageDraw.Draw(page).multiline_text((8, 5), text, fill=30)
    assert reason_of(page).split(":")[0] in ("not a digit", "several digits")


@pytest.mark.parametrize("side", [16, 28, 64, 200, 600])
@pytest.mark.parametrize("seed", range(5))
def test_white_noise_is_refused(side: int, seed: int) -> None:
    noise = np.random.default_rng(seed).integers(0, 256, (side, side), np.uint8)
    normalised = normalise(Image.fromarray(noise))
    if normalised.digits is not None:  # on few pixels noise can be strokes; then the network is not sure
        assert max(agreed(ENGINE.run(normalised.digits).tolist())) < ENGINE.artefact.reject_threshold


def test_what_is_too_faint_says_by_how_much(digits: Digits) -> None:
    ink = np.asarray(Image.fromarray(digits.pick(3)).resize((90, 90)), dtype=np.float64)
    faint = (220 - ink * (9 / 255)).astype(np.float32)
    reason = by_contrast(faint, (90, 90)).reason
    assert re.fullmatch(r"too faint: ink and paper are [67]\.\d grey levels apart, 12 are needed", reason or "")
    assert read(Image.fromarray(faint.astype(np.uint8))) == 3, "rules give up where a network still finds it"


@pytest.mark.parametrize("label", range(10))
@pytest.mark.parametrize("squared", [False, True])
def test_ruled_and_squared_paper_is_read(label: int, squared: bool) -> None:
    page = np.array(page_of([(label, 30, 70)]))
    page[20::30] = np.minimum(page[20::30], 110)
    if squared:
        page[:, 10::30] = np.minimum(page[:, 10::30], 110)
    assert read(Image.fromarray(page)) == label


@pytest.mark.parametrize("ink", [(200, 30, 30), (20, 40, 200), (0, 120, 40), (250, 220, 0)])
@pytest.mark.parametrize("paper", [(255, 255, 255), (235, 225, 190)])
def test_ink_of_any_colour_is_read(digits: Digits, ink: tuple[int, int, int], paper: tuple[int, int, int]) -> None:
    mask = Image.fromarray(digits.pick(2)).resize((84, 84))
    page = Image.new("RGB", (120, 100), paper)
    page.paste(ink, (18, 8), mask)
    assert read(page) == 2


def test_of_an_animation_the_first_frame_is_read(digits: Digits) -> None:
    frames = [Image.fromarray(on_paper(digits.pick(label))) for label in (6, 1)]
    buffer = BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    assert read(Image.open(buffer)) == 6


@settings(max_examples=80, deadline=None)
@given(
    label=st.integers(0, 9),
    zoom=st.floats(1.0, 4.0),
    margin=st.integers(2, 60),
    quality=st.integers(35, 95),
    contrast=st.integers(60, 200),
)
def test_size_margin_contrast_and_jpeg_do_not_change_the_answer(
    label: int, zoom: float, margin: int, quality: int, contrast: int
) -> None:
    side = round(28 * zoom)
    ink = np.zeros((side + 2 * margin, side + margin), np.float64)
    large = Image.fromarray(sample_digits().pick(label)).resize((side, side), Image.Resampling.BICUBIC)
    ink[margin : margin + side, :side] = np.asarray(large)
    page = Image.fromarray((220 - ink * (contrast / 255)).astype(np.uint8))
    buffer = BytesIO()
    page.save(buffer, "JPEG", quality=quality)
    assert read(Image.open(buffer)) == label


@settings(max_examples=40, deadline=None)
@given(label=st.integers(0, 9), quality=st.integers(40, 95))
def test_a_canonical_digit_compressed_is_passed_on_as_it_is(label: int, quality: int) -> None:
    digit = sample_digits().pick(label)
    buffer = BytesIO()
    Image.fromarray(digit).save(buffer, "JPEG", quality=quality)
    picture = Image.open(buffer)
    candidates = normalise(picture).digits
    assert candidates is not None
    assert np.abs(candidates.astype(int) - digit).mean() < 15
    assert read(picture) == label
