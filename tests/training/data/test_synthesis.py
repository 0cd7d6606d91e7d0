"""Synthesised images are canonical, repeatable, of every class, and what is held out comes from other fonts."""

import numpy as np
import pytest
import torch

from tests.harness import Digits
from training.data import glyphs, strokes, synthesis
from training.data.dataset import NOT_A_DIGIT, Split


@pytest.fixture(scope="module")
def pieces(digits: Digits) -> Split:
    return Split(torch.from_numpy(digits.images), torch.from_numpy(digits.labels))


def test_digits_of_every_class_are_canonical() -> None:
    made = synthesis.digits(200, seed=0)
    assert made.images.shape == (200, 28, 28)
    assert made.images.dtype == torch.uint8
    assert made.labels.bincount().tolist() == [20] * 10
    assert made.images.amax(dim=(1, 2)).min() == 255
    sizes = torch.stack([(made.images > 60).any(dim=axis).sum(dim=1) for axis in (1, 2)]).amax(dim=0)
    assert sizes.max() <= 20
    assert sizes.min() >= 18


def test_what_is_no_digit_has_no_class(pieces: Split) -> None:
    made = synthesis.not_digits(200, seed=0, pieces=pieces)
    assert made.labels.unique().tolist() == [NOT_A_DIGIT]
    assert len({image.numpy().tobytes() for image in made.images}) > 190


def test_the_seed_alone_decides(pieces: Split) -> None:
    for seed, same in ((0, True), (1, False)):
        assert torch.equal(synthesis.digits(30, 0).images, synthesis.digits(30, seed).images) == same
        ours, theirs = (synthesis.not_digits(30, s, pieces).images for s in (0, seed))
        assert torch.equal(ours, theirs) == same


def test_held_out_fonts_are_others() -> None:
    assert not set(glyphs.font_paths(held_out=True)) & set(glyphs.font_paths(held_out=False))
    assert len(glyphs.font_paths(held_out=True)) > 10
    assert len(glyphs.font_paths(held_out=False)) > 40
    for held_out in (True, False):
        assert set(glyphs.stroke_glyphs(held_out)) == set(glyphs.LETTERS)


@pytest.mark.parametrize("held_out", [False, True])
def test_letters_of_other_alphabets_are_drawn_by_fonts_that_have_them(held_out: bool) -> None:
    rng = np.random.default_rng(0)
    made = [synthesis.foreign_letter(rng, held_out) for _ in range(60)]
    assert all(ink.max() > 0.5 for ink in made)
    assert len({ink.tobytes() for ink in made}) > 50
    assert glyphs.fonts_with("д", held_out)
    assert glyphs.fonts_with(glyphs.NO_CHARACTER, held_out) == ()


def test_every_digit_is_written_in_several_ways_and_pens() -> None:
    rng = np.random.default_rng(0)
    for label, ways in strokes.DIGITS.items():
        assert len(ways) >= 3, label
        amounts = [strokes.write(ways[0], rng).sum() for _ in range(20)]
        assert max(amounts) > 2 * min(amounts), label
