"""Pens: an even one is as wide as asked, a brush is wide and narrow along one stroke."""

import numpy as np
from PIL import Image, ImageDraw

from training.data import pens

LINE = np.array([[10.0, 48.0], [86.0, 48.0]])


def heights(pen: pens.Pen) -> np.ndarray:
    """Of the ink in each column of a level stroke, without its ends."""
    canvas = Image.new("L", (96, 96))
    pen(ImageDraw.Draw(canvas), LINE)
    counts: np.ndarray = (np.asarray(canvas) > 127).sum(axis=0)
    return counts[16:80]


def test_an_even_pen_is_even() -> None:
    assert np.ptp(heights(pens.even(7))) <= 1
    assert 6 <= heights(pens.even(7)).mean() <= 8


def test_a_brush_is_not() -> None:
    spread = [np.ptp(heights(pens.brush(12, np.random.default_rng(seed)))) for seed in range(10)]
    assert np.mean(spread) > 3
    assert all(heights(pens.brush(12, np.random.default_rng(seed))).min() > 0 for seed in range(10))


def test_a_stroke_of_one_point_leaves_a_dot() -> None:
    for pen in (pens.even(5), pens.brush(5, np.random.default_rng(0))):
        canvas = Image.new("L", (96, 96))
        pen(ImageDraw.Draw(canvas), np.array([[48.0, 48.0], [48.0, 48.0]]))
        assert np.asarray(canvas).any()
