"""The ink of a digit is found where contrast alone finds something else, too."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from service.model.artefact import load
from service.model.engine import Engine
from service.picture.contrast import ByContrast
from service.picture.find import UNCLEAR, WHOLE, Found, Region, closer_to_ink, find, find_wider, parts, within
from service.picture.ink_finder import SIDE, find_ink, fitted
from service.picture.normalise import (
    CANONICAL,
    CONTRAST,
    LEARNED,
    LEARNED_WIDER,
    joined,
    looking_at,
    normalise,
    pixels_of,
)
from service.picture.shapes import Box
from tests.harness import ROOT, Digits

ENGINE = Engine(load(ROOT / "exported/googlenet"), "cpu", threads=1, max_batch=64)
Levels = NDArray[np.float32]


def sheet(digit: NDArray[np.uint8], size: tuple[int, int], side: int, top: int, left: int) -> Levels:
    """Dark ink on light paper of `size`, height and width; the digit's 28 pixels are `side` of the sheet's."""
    levels = np.full(size, 215, np.float32)
    large = np.asarray(Image.fromarray(digit).resize((side, side), Image.Resampling.BICUBIC), np.float32)
    levels[top : top + side, left : left + side] -= large * (150 / 255)
    return levels


def find_in(levels: Levels) -> Found:
    return find(looking_at(levels), (levels.shape[1], levels.shape[0]))


def share_read(pictures: list[tuple[Levels, int]]) -> float:
    right = [
        found.digit is not None and ENGINE.run(found.digit[None])[0].argmax() == label
        for found, label in ((find_in(levels), label) for levels, label in pictures)
    ]
    return float(np.mean(right))


def some(digits: Digits, count: int = 60) -> list[tuple[NDArray[np.uint8], int]]:
    return [(digits.images[i], int(digits.labels[i])) for i in range(0, 5000, 5000 // count)]


def test_digits_on_plain_paper(digits: Digits) -> None:
    assert share_read([(sheet(digit, (80, 80), 56, 12, 12), label) for digit, label in some(digits)]) > 0.95


def test_digits_on_squared_paper_of_their_own_colour(digits: Digits) -> None:
    pictures = []
    for digit, label in some(digits):
        levels = sheet(digit, (90, 90), 64, 13, 13)
        levels[::17] = np.minimum(levels[::17], 130)
        levels[:, 5::17] = np.minimum(levels[:, 5::17], 130)
        pictures.append((levels, label))
    assert share_read(pictures) > 0.9


def test_digits_beside_a_black_margin(digits: Digits) -> None:
    pictures = []
    for digit, label in some(digits):
        levels = sheet(digit, (100, 200), 50, 25, 120)
        levels[:, :60] = 10
        pictures.append((levels, label))
    assert share_read(pictures) > 0.9


@pytest.mark.parametrize("size", [(300, 300), (300, 212), (90, 300)])
def test_a_small_digit_is_looked_at_more_closely(digits: Digits, size: tuple[int, int]) -> None:
    """Its ink takes about a tenth of the longer side, on a page or a strip of one."""
    assert share_read([(sheet(digit, size, 42, 30, 150), label) for digit, label in some(digits)]) > 0.85


def test_a_small_digit_is_found_in_a_picture_that_is_hardly_larger_than_what_the_network_sees(digits: Digits) -> None:
    pictures = [(sheet(digit, (75, 90), 16, 50, 60), label) for digit, label in some(digits)]
    assert share_read(pictures) > 0.75


def test_rules_are_asked_anew_where_was_looked_closer(digits: Digits) -> None:
    """Of the whole strip they take the black margin for a 1."""
    right, assumed = [], []
    for digit, label in some(digits, 30):
        levels = sheet(digit, (100, 300), 42, 30, 180)
        levels[:, :70] = 10
        normalised = normalise(Image.fromarray(levels.astype(np.uint8)))
        assumed.append(normalised.assumed)
        if CONTRAST in normalised.assumed and normalised.digits is not None:
            right.append(ENGINE.run(normalised.digits[:1])[0].argmax() == label)
    assert assumed.count((CONTRAST, LEARNED)) > 20
    assert np.mean(right) > 0.85


def test_what_gives_no_candidate_says_why(digits: Digits) -> None:
    """Rules take the pieces of a broken stroke for several digits."""
    levels = sheet(digits.pick(6), (100, 140), 60, 20, 40)
    levels[:, 66:72] = 215
    normalised = normalise(Image.fromarray((levels + np.linspace(0, 30, 140)).astype(np.uint8)))
    assert normalised.assumed == (LEARNED, LEARNED_WIDER)
    ((what, why),) = normalised.dropped
    assert what == CONTRAST
    assert why.startswith("several digits: 2 shapes")


def both_looks(levels: Levels) -> tuple[int, int] | None:
    """What is read of a view and of a wider one; None where there is no digit in one of them."""
    found = find_in(levels)
    again = find_wider(found.view)
    if found.digit is None or found.reason or again is None:
        return None
    first, second = ENGINE.run(np.stack([found.digit, again])).argmax(axis=1).tolist()
    return first, second


def test_two_looks_agree_about_a_digit_and_not_about_noise(digits: Digits) -> None:
    noise = []
    for seed in range(400):
        rng = np.random.default_rng(seed)
        coarse = gaussian_filter(rng.normal(0, 1, (75, 75)), (0, 0.5, 1, 2)[seed % 4])
        noise.append((128 + 40 * coarse / coarse.std()).astype(np.float32))
    of_noise = [looks for looks in map(both_looks, noise) if looks]
    of_digits = [both_looks(sheet(digit, (80, 80), 56, 12, 12)) for digit, _ in some(digits)]
    assert len(of_noise) >= 10
    assert np.mean([first == second for first, second in of_noise]) < 0.5
    assert np.mean([looks is not None and looks[0] == looks[1] for looks in of_digits]) > 0.95


def test_what_may_be_noise_is_read_beside_what_rules_find_and_not_alone(digits: Digits) -> None:
    digit = digits.pick(3)
    found = Found(digit, UNCLEAR, WHOLE, sheet(digit, (80, 80), 56, 12, 12))
    assert joined(ByContrast(digits.pick(1)), found).assumed == (CONTRAST, LEARNED)
    alone = joined(ByContrast(None, "too faint"), found)
    assert (alone.digits, alone.reason) == (None, "too faint")
    assert alone.dropped == ((CONTRAST, "too faint"), (LEARNED, UNCLEAR))


@pytest.mark.parametrize("width", [19, 21, 23, 25])
def test_a_stroke_that_fills_half_of_a_crop_is_a_candidate(width: int) -> None:
    """A printed 1, cut out by its cell: no network has the last word on what is plain to see."""
    levels = np.full((77, width), 255, np.uint8)
    levels[16:, :10] = 0
    for row in range(10, 16):
        levels[row, : 10 - row // 3] = 0
    normalised = normalise(Image.fromarray(levels))
    assert normalised.digits is not None
    assert CONTRAST in normalised.assumed
    assert ENGINE.run(normalised.digits)[0].argmax() == 1


@pytest.mark.parametrize("shape", [(128, 128), (128, 90), (20, 128), (96, 5)])
def test_parts_cover_the_picture(shape: tuple[int, int]) -> None:
    covered = np.zeros(shape, bool)
    for region in parts(shape):
        left, top, right, bottom = pixels_of(region, shape[::-1])
        covered[top:bottom, left:right] = True
        assert max(right - left, bottom - top) < 0.45 * max(shape)
    assert covered.all()
    assert len(parts(shape)) <= 16


def test_a_digit_whose_ink_fills_the_picture_in_either_polarity(digits: Digits) -> None:
    pictures = []
    for number, (digit, label) in enumerate(some(digits, 100)):
        rows, columns = np.flatnonzero(digit.max(axis=1)), np.flatnonzero(digit.max(axis=0))
        tight = digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        if min(tight.shape) >= 8:
            pictures.append(((tight if number % 2 else 255 - tight).astype(np.float32), label))
    assert share_read(pictures) > 0.9


@pytest.mark.parametrize("shape", [(5, 5), (5, 200), (200, 5), (64, 64), (128, 3_000)])
def test_a_blank_picture_of_any_shape_holds_nothing(shape: tuple[int, int]) -> None:
    found = find_in(np.full(shape, 200, np.float32))
    assert found.digit is None
    assert (found.reason or "").startswith("blank")


def test_two_digits_are_said_to_be_several(digits: Digits) -> None:
    levels = sheet(digits.pick(4), (80, 150), 60, 10, 10)
    levels[10:70, 80:140] = np.minimum(levels[10:70, 80:140], sheet(digits.pick(7), (60, 60), 60, 0, 0))
    assert (find_in(levels).reason or "").startswith("several digits: 2 shapes")


def test_pictures_looked_at_together_are_seen_as_alone(digits: Digits) -> None:
    pictures = [sheet(digits.pick(n), (50 + n, 70), 40, 5, 15) for n in range(5)]
    for alone, together in zip(pictures, find_ink(pictures), strict=True):
        (same,) = find_ink([alone])
        assert np.allclose(same, together, atol=1e-5)
        assert max(same.shape) == SIDE


def test_a_picture_is_fitted_with_its_mean_beside_it() -> None:
    levels = np.full((20, 40), 100, np.float32)
    levels[:, :20] = 200
    square, shape = fitted(levels)
    assert shape == (32, 64)
    assert (square[32:] == 150).all()


def test_a_region_of_a_region() -> None:
    quarter = within(WHOLE, Box(0, 32, 32, 64), (64, 64))
    assert quarter == Region(0, 0.5, 0.5, 1)
    assert within(quarter, Box(-5, 32, 0, 100), (64, 64)) == Region(0, 0.25, 0.5, 1)


def test_what_fills_the_view_is_not_looked_at_again() -> None:
    mask = np.zeros((64, 64), bool)
    mask[10:50, 30] = True
    assert closer_to_ink(WHOLE, mask) is None
    mask[20:50] = False
    assert closer_to_ink(WHOLE, mask) is not None
    assert closer_to_ink(WHOLE, np.zeros((64, 64), bool)) is None


@pytest.mark.parametrize("size", [(5, 5), (6, 300), (1_000, 7), (4_000, 3_000)])
def test_a_region_has_five_pixels_a_side_at_least_and_none_outside(size: tuple[int, int]) -> None:
    for region in (Region(0, 0, 0, 0), Region(1, 1, 1, 1), Region(0.5, 0.501, 0.2, 0.2), WHOLE):
        left, top, right, bottom = pixels_of(region, size)
        assert 0 <= left < left + 5 <= right <= size[0]
        assert 0 <= top < top + 5 <= bottom <= size[1]


def test_only_a_picture_in_doubt_has_two_candidates(digits: Digits) -> None:
    """A drawing of one shape on a flat ground is read by rules alone, a photograph by both."""
    drawing = Image.fromarray(sheet(digits.pick(3), (100, 100), 70, 15, 15).astype(np.uint8))
    light = np.linspace(0, 60, 100)[:, None]
    photo = Image.fromarray((np.asarray(drawing, np.float32) * 0.7 + light).astype(np.uint8))
    assert normalise(drawing).assumed == (CONTRAST,)
    assert normalise(photo).assumed == (CONTRAST, LEARNED)
    assert normalise(Image.fromarray(digits.pick(3))).assumed == (CANONICAL,)


def test_a_blank_part_of_sixteen_bits_is_not_stretched_to_noise(digits: Digits) -> None:
    levels = sheet(digits.pick(5), (400, 400), 60, 200, 250) * 200
    levels += np.random.default_rng(0).normal(0, 30, levels.shape)
    digits_found = normalise(Image.fromarray(levels.astype(np.uint16))).digits
    assert digits_found is not None
    assert ENGINE.run(digits_found).sum(axis=0).argmax() == 5
