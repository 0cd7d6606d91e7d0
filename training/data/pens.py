"""What a stroke looks like by the pen that draws it: even, or as wide as a brush, a nib and the hand press it."""

import math
from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import ImageDraw

# [N, 2]: x and y in pixels.
Points = NDArray[np.float64]

# Draws one stroke.
Pen = Callable[[ImageDraw.ImageDraw, Points], None]

# The share of hands that write with a brush or a broad nib.
BRUSHES = 0.2

# Pixels between two touches of a brush.
STEP = 1.5

# Pixels; of a wider brush nothing but a blot is left.
WIDEST_BRUSH = 15.0

# A brush is wider than a pen of the same hand by this.
BRUSH_TO_PEN = 1.35


def pick(width: float, rng: Generator) -> Pen:
    """`width`: pixels of an even pen."""
    brushed = rng.random() < BRUSHES and width < WIDEST_BRUSH
    return brush(width * BRUSH_TO_PEN, rng) if brushed else even(round(width))


def even(width: int) -> Pen:
    def draw(canvas: ImageDraw.ImageDraw, points: Points) -> None:
        placed = [tuple(point) for point in points.tolist()]
        canvas.line(placed, fill=255, width=width, joint="curve")
        for x, y in (placed[0], placed[-1]):
            touch(canvas, x, y, width)

    return draw


def brush(width: float, rng: Generator) -> Pen:
    """Its width follows its direction, as that of a nib held at one angle, and the pressure, which ebbs at the ends."""
    nib, flat = rng.uniform(0, math.pi), rng.uniform(0, 0.65)
    press = rng.uniform(0.5, 1.15, 5)
    ends = rng.uniform(0.15, 1, 2)

    def draw(canvas: ImageDraw.ImageDraw, points: Points) -> None:
        way = resampled(points)
        along = np.linspace(0, 1, len(way))
        pressure = np.interp(along, np.linspace(0, 1, len(press)), press)
        pressure *= np.interp(along, (0, 0.15, 0.8, 1), (ends[0], 1, 1, ends[1]))
        direction = np.arctan2(*np.gradient(way, axis=0).T[::-1]) if len(way) > 1 else np.zeros(1)
        wide = width * pressure * (1 - flat * np.cos(direction - nib) ** 2)
        for (x, y), one in zip(way.tolist(), wide.tolist(), strict=True):
            touch(canvas, x, y, max(1.0, one))

    return draw


def touch(canvas: ImageDraw.ImageDraw, x: float, y: float, width: float) -> None:
    canvas.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=255)


def resampled(points: Points) -> Points:
    """The same way in steps of `STEP` pixels."""
    lengths = np.concatenate([[0.0], np.hypot(*np.diff(points, axis=0).T).cumsum()])
    places = np.linspace(0, lengths[-1], max(2, math.ceil(lengths[-1] / STEP)))
    return np.stack([np.interp(places, lengths, points[:, axis]) for axis in range(2)], axis=1)
