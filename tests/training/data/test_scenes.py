"""Scenes made by code: of every kind, with the ink where it says it is, and with digits that one can see."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from service.picture.shapes import Box
from tests.harness import Digits
from training.data import camera, paper
from training.data.dataset import NOT_A_DIGIT, Split
from training.data.scene import Conditions, Margins, Scene, cropped, empty_scene, laid, make_scene
from training.data.scenes import Sources, any_scene, digit_scene, is_visible
from training.judge.made import CLEAN

NOTHING_ELSE = replace(CLEAN, contrast=(100, 150), blurred=0)


@pytest.fixture(scope="module")
def sources(digits: Digits) -> Sources:
    return Sources(Split(torch.from_numpy(digits.images), torch.from_numpy(digits.labels)))


def test_scenes_are_the_same_for_the_same_seed(sources: Sources) -> None:
    one, other = ([any_scene(sources, np.random.default_rng([7, i])) for i in range(10)] for _ in range(2))
    for a, b in zip(one, other, strict=True):
        assert a.label == b.label
        assert np.array_equal(a.scene.picture, b.scene.picture)
        assert np.array_equal(a.scene.ink, b.scene.ink)


def test_scenes_are_of_every_size_label_and_polarity(sources: Sources) -> None:
    rng = np.random.default_rng(0)
    made = [any_scene(sources, rng) for _ in range(200)]
    labels = [one.label for one in made]
    assert {*range(10), NOT_A_DIGIT} == set(labels)
    assert 0.1 < np.mean(np.array(labels) == NOT_A_DIGIT) < 0.3
    sides = [max(one.scene.picture.shape) for one in made]
    assert min(sides) < 30
    assert max(sides) > 150
    assert all(one.scene.picture.shape == one.scene.ink.shape for one in made)
    assert all(one.scene.picture.dtype == one.scene.ink.dtype == np.uint8 for one in made)
    bright = [np.median(one.scene.picture) > 128 for one in made]
    assert 0.3 < np.mean(bright) < 0.9


def test_the_ink_is_where_it_says_it_is(sources: Sources) -> None:
    """On plain paper the levels under the ink are others than beside it, whichever way round."""
    rng = np.random.default_rng(1)
    for _ in range(20):
        scene = digit_scene(sources, rng, conditions=NOTHING_ELSE).scene
        ink = scene.ink > 200
        if ink.any() and (scene.ink == 0).any():
            apart = abs(float(scene.picture[ink].mean()) - float(np.median(scene.picture[scene.ink == 0])))
            assert apart > 30


def test_the_digit_is_as_large_as_its_margins_leave_it(sources: Sources) -> None:
    rng = np.random.default_rng(2)
    for _ in range(10):
        scene = digit_scene(sources, rng, lambda _: Margins(1, 1, 2, 2), NOTHING_ELSE).scene
        rows, columns = np.flatnonzero(scene.ink.any(axis=1)), np.flatnonzero(scene.ink.any(axis=0))
        side = max(np.ptp(rows), np.ptp(columns)) + 1
        assert scene.picture.shape[1] == pytest.approx(columns[-1] - columns[0] + 1 + 4 * side, abs=8)


def test_noise_is_no_more_than_it_may_be(sources: Sources) -> None:
    """Of neighbouring pixels beside the digit; a JPEG makes some of its own."""
    quiet, loud = (grain(sources, replace(NOTHING_ELSE, noise=noise)) for noise in (0, 9))
    assert np.median(quiet) < 0.5
    assert np.percentile(loud, 75) > 3


def grain(sources: Sources, conditions: Conditions) -> list[float]:
    rng = np.random.default_rng(6)
    scenes = [digit_scene(sources, rng, lambda _: Margins(1, 1, 1, 1), conditions).scene for _ in range(40)]
    return [float(np.abs(np.diff(one.picture[:6].astype(float), axis=1)).mean()) for one in scenes]


def test_what_no_one_can_see_is_not_visible(sources: Sources) -> None:
    rng = np.random.default_rng(3)
    scene = digit_scene(sources, rng, conditions=NOTHING_ELSE).scene
    assert is_visible(scene)
    assert not is_visible(Scene(np.full_like(scene.picture, 128), scene.ink))
    noise = rng.integers(0, 256, scene.picture.shape, np.uint8)
    assert not is_visible(Scene(noise, scene.ink))
    assert not is_visible(empty_scene(sources.clutter, rng))


def test_some_empty_pictures_are_noise_and_no_sheet() -> None:
    rng = np.random.default_rng(8)
    for _ in range(20):
        pixels = camera.static((40, 60), rng)
        assert pixels.shape == (40, 60)
        assert pixels.dtype == np.uint8
        assert pixels.std() > 1


def test_several_digits_are_wider_than_one(sources: Sources) -> None:
    rng = np.random.default_rng(4)
    rows = [sources.several(rng) for _ in range(20)]
    assert np.mean([row.shape[1] / row.shape[0] for row in rows]) > 1.2


def test_fonts_of_a_folder_are_written_in(digits: Digits, tmp_path: Path) -> None:
    """A family that is held out is never trained on."""
    import matplotlib

    (tmp_path / "plain").mkdir()
    (tmp_path / "mansalva").mkdir()
    font = Path(matplotlib.get_data_path(), "fonts/ttf/DejaVuSans.ttf")
    (tmp_path / "plain/a.ttf").write_bytes(font.read_bytes())
    (tmp_path / "mansalva/a.ttf").write_bytes(font.read_bytes())
    from training.data import glyphs

    assert glyphs.hand_paths(str(tmp_path), held_out=False) == (tmp_path / "plain/a.ttf",)
    assert glyphs.hand_paths(str(tmp_path), held_out=True) == (tmp_path / "mansalva/a.ttf",)
    assert glyphs.hand_paths("", held_out=False) == ()


def test_lines_are_as_far_apart_as_they_are_to_be() -> None:
    y, _ = paper.coordinates((100, 10))
    lines = paper.stripes(y, pitch=20, width=2, phase=10)
    assert np.flatnonzero(lines[:, 0] > 0.4).tolist() == [9, 10, 11, 29, 30, 31, 49, 50, 51, 69, 70, 71, 89, 90, 91]


@pytest.mark.parametrize("draw", [paper.frame, paper.beyond_the_edge, paper.hole])
def test_what_else_is_on_the_paper_keeps_off_the_digit(draw: object) -> None:
    box = Box(40, 80, 50, 75)
    for seed in range(30):
        covered = draw((120, 130), box, np.random.default_rng(seed))  # type: ignore[operator]
        assert covered.min() >= 0
        assert covered.max() <= 1
        assert covered[50:70, 57:68].max() < 0.6


def test_a_glyph_is_laid_where_it_is_to_be_and_cut_off_at_the_border() -> None:
    glyph = np.ones((4, 4), np.float32)
    assert laid(glyph, 8, -2, (10, 10)).sum() == 4
    assert laid(glyph, 20, 0, (10, 10)).sum() == 0
    assert np.array_equal(cropped(laid(glyph, 3, 5, (10, 10))), glyph)


def test_one_bit_has_two_levels_and_a_jpeg_nearly_the_same_ones() -> None:
    rng = np.random.default_rng(0)
    ramp = np.tile(np.linspace(20, 230, 64, dtype=np.float32), (64, 1))
    assert set(np.unique(camera.scanned_in_one_bit(ramp, rng)).tolist()) == {0, 255}
    pixels = ramp.astype(np.uint8)
    assert np.abs(camera.compressed(pixels, 90).astype(int) - pixels).mean() < 3
    assert camera.blurred(ramp, 3.0)[:, 20:40].std() == pytest.approx(ramp[:, 20:40].std(), rel=0.05)
    shaken = camera.shaken(np.eye(64, dtype=np.float32) * 100, 6, rng)
    assert shaken.max() < 80


def test_a_ruled_sheet_has_lines_and_a_plain_one_none(sources: Sources) -> None:
    """Of levels that are alike along a row, and not from one row to the next."""

    def spread_of_rows(conditions: Conditions, seed: int) -> float:
        around = Margins(0.2, 0.2, 3, 3)
        scene = make_scene(
            np.ones((40, 10), np.float32), sources.clutter, np.random.default_rng(seed), around, conditions
        )
        beside = scene.picture[:, : scene.picture.shape[1] // 4].astype(np.float32)
        return float(np.abs(np.diff(np.median(beside, axis=1))).max())

    ruled = replace(NOTHING_ELSE, ruled=1, squared=0)
    with_lines, without = (
        np.median([spread_of_rows(conditions, seed) for seed in range(20)]) for conditions in (ruled, NOTHING_ELSE)
    )
    assert with_lines > 2 * without
