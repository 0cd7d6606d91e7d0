"""Handwriting out of pen strokes: a glyph is a few polylines, written anew each time with another hand and pen.

A point is (x, y) in a box of 1×1, y downwards. The digits are our own drawings of the ways in which people write them,
among them those that MNIST's American writers hardly use: a 1 with flag and foot, crossed sevens, closed fours.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Point = tuple[float, float]
Glyph = Sequence[Sequence[Point]]
Ink = NDArray[np.float32]
"""[H, W], 0 to 1"""

CANVAS = 96
GLYPH = 64
"""Pixels of the longer side of a glyph on the canvas, before the hand's slant and slope."""

FULL_STROKE = 20
"""A pen's width is given in pixels of the canonical 20×20 box."""


WIDEST_PEN = 4.5
WIDEST_PEN_OF_ONE = 9.0
"""A 1 has no hole to fill: scanned forms have some that are mere blocks."""


RAGGED = 0.2
"""Probability of edges like a saw."""


def arc(centre: Point, radius: Point, start: float, stop: float, points: int = 12) -> list[Point]:
    """Along an ellipse, in degrees clockwise from three o'clock."""
    angles = np.radians(np.linspace(start, stop, points))
    return [(centre[0] + radius[0] * math.cos(a), centre[1] + radius[1] * math.sin(a)) for a in angles]


DIGITS: dict[int, list[Glyph]] = {
    0: [
        [arc((0.5, 0.5), (0.33, 0.5), -90, 270, 24)],
        [arc((0.5, 0.5), (0.42, 0.48), -60, 310, 24)],
        [arc((0.5, 0.5), (0.3, 0.5), -110, 280, 24)],
    ],
    1: [
        [[(0.5, 0), (0.5, 1)]],
        [[(0.2, 0.3), (0.55, 0), (0.55, 1)]],
        [[(0.05, 0.5), (0.6, 0), (0.6, 1)]],
        [[(0.3, 0.18), (0.55, 0), (0.55, 1)], [(0.25, 1), (0.85, 1)]],
        [[(0.1, 0.4), (0.55, 0), (0.55, 1)], [(0.15, 1), (0.95, 1)]],
        [[(0.2, 0.1), (0.5, 0.05), (0.5, 1)], [(0.15, 1), (0.85, 1)]],
        [[(0.5, 0), (0.5, 1)], [(0.2, 1), (0.8, 1)]],
    ],
    2: [
        [[*arc((0.45, 0.28), (0.38, 0.28), -170, 40), (0.1, 1), (0.9, 1)]],
        [
            [
                *arc((0.45, 0.25), (0.35, 0.25), -160, 50),
                *[(0.25, 0.9), *arc((0.22, 0.88), (0.1, 0.1), 0, 250), (0.9, 0.98)],
            ]
        ],
        [[(0.1, 0.05), (0.8, 0.02), (0.1, 1), (0.9, 1)]],
    ],
    3: [
        [[*arc((0.42, 0.25), (0.38, 0.25), -160, 90), *arc((0.42, 0.74), (0.44, 0.26), -90, 150)]],
        [[(0.1, 0), (0.85, 0), (0.4, 0.4), *arc((0.4, 0.7), (0.45, 0.3), -80, 150)]],
        [[*arc((0.42, 0.26), (0.38, 0.26), -195, 70), (0.35, 0.5), *arc((0.42, 0.74), (0.44, 0.26), -80, 170)]],
        [[*arc((0.42, 0.26), (0.4, 0.26), -205, 90), *arc((0.42, 0.74), (0.46, 0.26), -90, 190)]],
    ],
    4: [
        [[(0.2, 0), (0.1, 0.6), (0.95, 0.6)], [(0.7, 0.15), (0.65, 1)]],
        [[(0.35, 0), (0.05, 0.65), (0.95, 0.65)], [(0.65, 0.35), (0.65, 1)]],
        [[(0.68, 1), (0.68, 0), (0.05, 0.66), (0.97, 0.66)]],
        [[(0.68, 1), (0.68, 0), (0.1, 0.6), (0.7, 0.6)]],
        [[(0.7, 0.1), (0.1, 0.55), (0.95, 0.55)], [(0.72, 0), (0.66, 1)]],
        [[(0.15, 0), (0.12, 0.5), (0.75, 0.5)], [(0.75, 0), (0.75, 1)]],
        [[(0.6, 1), (0.6, 0), (0.15, 0.6), (0.8, 0.6)]],
        [[(0.55, 1), (0.62, 0), (0.2, 0.52), (0.85, 0.5)]],
        [[(0.62, 1), (0.62, 0.02), (0.3, 0.25), (0.18, 0.5), (0.25, 0.56), (0.92, 0.54)]],
        [[(0.55, 0), (0.15, 0.55), (0.9, 0.5)], [(0.55, 0.02), (0.6, 1)]],
        [[(0.62, 0.05), (0.2, 0.6), (0.8, 0.62)], [(0.6, 0), (0.52, 1)]],
    ],
    5: [
        [[(0.85, 0), (0.25, 0), (0.2, 0.42), *arc((0.42, 0.68), (0.42, 0.3), -120, 150)]],
        [[(0.25, 0.05), (0.2, 0.42), *arc((0.42, 0.68), (0.42, 0.3), -120, 150)], [(0.25, 0.02), (0.95, 0)]],
        [[(0.9, 0.02), (0.3, 0), (0.22, 0.45), *arc((0.4, 0.7), (0.4, 0.28), -110, 120)]],
        [[(0.85, 0), (0.25, 0), (0.2, 0.42), *arc((0.45, 0.7), (0.4, 0.28), -120, 195)]],
        [[(0.25, 0.05), (0.2, 0.45), *arc((0.45, 0.7), (0.4, 0.28), -130, 180)], [(0.2, 0.03), (0.98, 0)]],
        [[(0.95, 0), (0.15, 0.02), (0.15, 0.45), (0.7, 0.42), (0.8, 0.7), (0.6, 1), (0.1, 0.95)]],
    ],
    6: [
        [[(0.7, 0), (0.3, 0.35), *arc((0.48, 0.7), (0.36, 0.29), -170, 200, 20)]],
        [[*arc((0.75, 0.5), (0.6, 0.5), -100, -180), *arc((0.48, 0.72), (0.34, 0.27), -180, 190, 20)]],
        [[(0.5, 0), (0.15, 0.6), *arc((0.5, 0.72), (0.36, 0.27), -190, 170, 20)]],
    ],
    7: [
        [[(0.05, 0), (0.9, 0), (0.4, 1)]],
        [[(0.05, 0.15), (0.08, 0), (0.9, 0.02), (0.45, 1)]],
        [[(0.05, 0), (0.9, 0), (0.4, 1)], [(0.25, 0.5), (0.9, 0.5)]],
        [[(0.05, 0.15), (0.08, 0), (0.9, 0), (0.35, 1)], [(0.2, 0.52), (0.85, 0.46)]],
        [[(0.05, 0.05), (0.85, 0), (0.55, 0.4), (0.4, 1)], [(0.25, 0.45), (0.85, 0.5)]],
        [[(0.05, 0.05), (0.9, 0), (0.3, 1)], [(0.15, 0.6), (0.85, 0.38)]],
        [[*arc((0.18, 0.12), (0.12, 0.1), 180, 400, 8), (0.95, 0.02), (0.4, 1)]],
        [[*arc((0.18, 0.12), (0.12, 0.1), 180, 400, 8), (0.95, 0.02), (0.35, 1)], [(0.25, 0.55), (0.85, 0.45)]],
    ],
    8: [
        [[*arc((0.5, 0.25), (0.33, 0.25), 90, -270, 16), *arc((0.5, 0.75), (0.4, 0.25), -90, 270, 16)]],
        [
            [
                *[(0.8, 0.1), *arc((0.45, 0.24), (0.32, 0.24), -30, -200)],
                *[*arc((0.5, 0.75), (0.38, 0.25), -70, 230), (0.85, 0.05)],
            ]
        ],
        [[*arc((0.5, 0.27), (0.36, 0.27), 90, -270, 16)], [*arc((0.5, 0.77), (0.36, 0.23), -90, 270, 16)]],
    ],
    9: [
        [[*arc((0.48, 0.28), (0.36, 0.28), 0, -350, 18), (0.8, 1)]],
        [[*arc((0.48, 0.28), (0.36, 0.28), -20, -360, 18), *arc((0.35, 0.6), (0.5, 0.4), 0, 130)]],
        [[*arc((0.45, 0.3), (0.36, 0.29), -30, -370, 18), (0.6, 1)]],
        [[*arc((0.45, 0.27), (0.37, 0.27), -10, -365, 18), *arc((0.42, 0.7), (0.41, 0.28), -20, 150)]],
        [[*arc((0.45, 0.28), (0.36, 0.28), 130, 390, 18), (0.6, 1)]],
        [[*arc((0.42, 0.27), (0.38, 0.26), 110, 375, 18), *arc((0.3, 0.5), (0.5, 0.5), 0, 85)]],
        [[*arc((0.42, 0.27), (0.38, 0.26), 60, 375, 18), *arc((0.38, 0.7), (0.42, 0.28), -15, 160)]],
    ],
}  # fmt: skip
"""Ways of writing each digit."""

MARKS: list[Glyph] = [
    [[(0, 0.5), (1, 0.5)]],
    [[(0, 0), (1, 1)], [(1, 0), (0, 1)]],
    [[(0, 0.5), (0.35, 1), (1, 0)]],
    [[(0, 0.5), (1, 0.5)], [(0.5, 0), (0.5, 1)]],
    [[(0, 0.35), (1, 0.35)], [(0, 0.65), (1, 0.65)]],
    [[(0, 0.5), (1, 0.5)], [(0.7, 0.2), (1, 0.5), (0.7, 0.8)]],
    [[(0.5, 0), (1, 1), (0, 1), (0.5, 0)]],
    [[(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)], [(0, 0), (1, 1)]],
    [[(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)], [(0.5, 0), (0.5, 1)], [(0, 0.5), (1, 0.5)]],
    [[(0, 1), (0, 0), (1, 0)]],
    [[(0.2, 0), (0.2, 1)], [(0.8, 0), (0.8, 1)]],
    [[(0.2, 0), (0.2, 1)], [(0.5, 0), (0.5, 1)], [(0.8, 0), (0.8, 1)]],
]
"""Signs that are no digits: bar, cross, tick, plus, equals, arrow, triangle, boxes, a corner, tallies."""


def scribble(rng: Generator) -> Glyph:
    """A pen tried out."""
    return [list(map(tuple, rng.random((rng.integers(4, 14), 2)).tolist())) for _ in range(rng.integers(1, 3))]


def rounded(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Corners cut off (Chaikin 1974)."""
    before, after = points[:-1], points[1:]
    between = np.stack([0.75 * before + 0.25 * after, 0.25 * before + 0.75 * after], axis=1).reshape(-1, 2)
    return np.concatenate([points[:1], between, points[-1:]])


def write(glyph: Glyph, rng: Generator, widest: float = WIDEST_PEN) -> Ink:
    """`glyph` by a random hand (proportions, slant, slope, unsteadiness) with a random pen. float32 [96, 96]."""
    canvas = Image.new("L", (CANVAS, CANVAS))
    pen = ImageDraw.Draw(canvas)
    width = max(1, round(rng.uniform(0.9, widest) * GLYPH / FULL_STROKE))
    slant, slope = rng.normal(0, 0.15), rng.normal(0, 0.05)
    proportions = np.exp(rng.normal(0, 0.2, 2))
    hand = np.array([[proportions[0], slant], [slope, proportions[1]]]) * GLYPH / max(proportions)
    for stroke in glyph:
        points = np.asarray(stroke) + rng.normal(0, 0.025, (len(stroke), 2)) + rng.normal(0, 0.015, 2)
        for _ in range(rng.integers(0, 3)):
            points = rounded(points)
        placed = [tuple(point) for point in ((points - 0.5) @ hand.T + CANVAS / 2).tolist()]
        pen.line(placed, fill=255, width=width, joint="curve")
        for x, y in (placed[0], placed[-1]):
            pen.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=255)
    ink: Ink = np.asarray(canvas, dtype=np.float32) / np.float32(255)
    return ragged(ink, rng) if rng.random() < RAGGED else ink


def ragged(ink: Ink, rng: Generator) -> Ink:
    """Each band of a few rows shifted by itself, as a feed scanner of one bit does."""
    band, most = int(rng.integers(2, 6)), int(rng.integers(1, 5))
    shifts = rng.integers(-most, most + 1, size=-(-len(ink) // band))
    return np.stack([np.roll(row, shifts[i // band]) for i, row in enumerate(ink)])
