"""Pictures as people upload them, made by code: a glyph on paper among what else is there, photographed.

With each goes which of its pixels are the glyph's ink, so that finding it can be learned and scored.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from PIL import Image

from service.picture.shapes import Box
from training.data import camera, paper
from training.data.paper import Plane
from training.data.strokes import Ink

# Pixels of the longer side of a glyph. Frames of a webcam and cells of a page have some that are hardly larger than the
# smallest: this share is drawn from up to so many.
SMALLEST_GLYPH, LARGEST_GLYPH = 8, 110
SMALL_GLYPH = 16
SMALL_SHARE = 0.35

# Margins under which a picture is cut out closely, and the share of these that are stretched to a square as well.
TIGHT = 0.08
STRETCHED = 0.5

# The share of empty pictures that are noise and no sheet.
STATIC = 0.25

Clutter = Callable[[Generator], Ink]


class Scene(NamedTuple):
    """picture: uint8 [H, W], grey levels. ink: uint8 [H, W], 255 where the glyph covers the paper."""

    picture: np.ndarray
    ink: np.ndarray


@dataclass(frozen=True)
class Conditions:
    """How often each of these is in a picture, 0 to 1, and of what there always is, between which bounds."""

    ruled: float = 0.35
    squared: float = 0.65
    """of what is ruled"""
    framed: float = 0.2
    edge: float = 0.25
    """the sheet ends beside the digit"""
    neighbours: float = 0.2
    text: float = 0.12
    specks: float = 0.15
    hole: float = 0.08
    contrast: tuple[float, float] = (9.0, 230.0)
    """grey levels between paper and ink, from pencil that one hardly sees"""
    blur: tuple[float, float] = (0.1, 0.75)
    """standard deviation, in widths of a stroke"""
    blurred: float = 0.6
    noise: float = 9.0
    """grey levels, the largest standard deviation of the sensor's noise, and about that of the paper's blotches"""
    shaken: float = 0.1
    one_bit: float = 0.12
    smallest: int = SMALLEST_GLYPH
    """pixels of the longer side of a glyph"""
    largest: int = 224
    """pixels of the longer side of a picture"""


ANY = Conditions()


class Margins(NamedTuple):
    """Of paper around a glyph, in shares of its longer side; below 0 the picture cuts it off."""

    top: float
    bottom: float
    left: float
    right: float


def margins(rng: Generator) -> Margins:
    """As it is cut out by a program, by a hand, or not at all."""
    how = rng.random()
    if how < 0.25:
        return Margins(*rng.uniform(-0.03, 0.06, 4))
    if how < 0.75:
        return Margins(*rng.uniform(0.02, 0.9, 4))
    widest = math.exp(rng.uniform(0, math.log(14))) * rng.uniform(0.2, 1)
    return Margins(*(widest * rng.uniform(0.05, 1, 4)))


def make_scene(
    glyph: Ink, clutter: Clutter, rng: Generator, around: Margins | None = None, conditions: Conditions = ANY
) -> Scene:
    """`glyph`: cropped to its ink. `clutter` makes glyphs that may stand beside it."""
    around = around or margins(rng)
    turned = cropped(as_written(glyph, rng))
    largest = SMALL_GLYPH if rng.random() < SMALL_SHARE and conditions.smallest < SMALL_GLYPH else LARGEST_GLYPH
    size = math.exp(rng.uniform(math.log(conditions.smallest), math.log(largest)))
    room = 1 + max(around.top + around.bottom, around.left + around.right)
    size = max(6.0, min(size, conditions.largest / room))
    scale = size / max(turned.shape)
    height, width = (max(2, round(length * scale)) for length in turned.shape)
    if max(around) < TIGHT and rng.random() < STRETCHED:
        height = width = max(height, width)
    top, bottom, left, right = (round(margin * size) for margin in around)
    shape = max(5, top + height + bottom), max(5, left + width + right)
    box = Box(top, top + height, left, left + width)
    covered = laid(resized(turned, (height, width)), top, left, shape)
    return on_paper(covered, box, clutter, rng, conditions)


def empty_scene(clutter: Clutter, rng: Generator) -> Scene:
    """A sheet with nothing on it that is to be read."""
    side = int(rng.integers(16, 120))
    shape = (side, max(12, round(side * rng.uniform(0.5, 2))))
    if rng.random() < STATIC:
        return Scene(camera.static(shape, rng), np.zeros(shape, np.uint8))
    middle = Box(shape[0] // 3, shape[0] * 2 // 3, shape[1] // 3, shape[1] * 2 // 3)
    return on_paper(np.zeros(shape, np.float32), middle, clutter, rng, ANY)


def on_paper(
    covered: Plane,
    box: Box,
    clutter: Clutter,
    rng: Generator,
    conditions: Conditions,
    beside: Plane | float = 0.0,
) -> Scene:
    """`covered`: by the glyph, whose place is `box`. `beside`: by what stands there and is not to be read."""
    shape = covered.shape
    sheet = paper.paper(shape, conditions.noise, rng)
    level = float(np.median(sheet))
    contrast = min(level, math.exp(rng.uniform(*np.log(conditions.contrast))))
    written = covered * (1 - rng.uniform(0, 0.6) * rng.random(shape, np.float32)) if rng.random() < 0.2 else covered
    around = np.maximum(clutter_around(shape, box, clutter, rng, conditions), beside)
    drawn = np.maximum(written, around * (1 - covered))
    grey = sheet - contrast * drawn
    if rng.random() < conditions.ruled:
        lines = paper.ruling(shape, box.side, conditions.squared, rng) * rng.uniform(0.1, 0.9) * contrast
        grey = np.minimum(grey, sheet - lines) if rng.random() < 0.7 else grey - lines
    if rng.random() < conditions.framed:
        grey = np.minimum(grey, sheet - contrast * rng.uniform(0.3, 1.2) * paper.frame(shape, box, rng))
    if rng.random() < conditions.edge:
        beyond = paper.beyond_the_edge(shape, box, rng)
        other = rng.uniform(0, 60) if rng.random() < 0.7 else rng.uniform(0, 255)
        grey = grey * (1 - beyond) + other * beyond
    stroke = max(1.0, 2 * float(covered.sum()) / max(1.0, float(np.abs(np.diff(covered, axis=0)).sum())))
    picture = photographed(grey.astype(np.float32), stroke, rng, conditions)
    return Scene(picture, np.rint(covered * 255).astype(np.uint8))


def photographed(grey: Plane, stroke: float, rng: Generator, conditions: Conditions) -> np.ndarray:
    """uint8 [H, W] of grey levels. `stroke`: pixels that a stroke of the digit is wide."""
    if rng.random() < conditions.blurred:
        grey = camera.blurred(grey, min(3.0, stroke) * rng.uniform(*conditions.blur))
    if rng.random() < conditions.shaken:
        grey = camera.shaken(grey, stroke * rng.uniform(0.5, 1.6), rng)
    if rng.random() < conditions.one_bit:
        return camera.scanned_in_one_bit(grey, rng)
    return camera.developed(grey, conditions.noise, rng)


def clutter_around(shape: tuple[int, int], box: Box, clutter: Clutter, rng: Generator, conditions: Conditions) -> Plane:
    """Coverage of a neighbour's strokes that the border cuts off, of printed text, dots, holes and an underline."""
    drawn = np.zeros(shape, np.float32)
    if rng.random() < conditions.neighbours:
        for _ in range(rng.integers(1, 4)):
            drawn = np.maximum(drawn, cut_off(shape, box, clutter(rng), rng))
    if rng.random() < conditions.text:
        drawn = np.maximum(drawn, small_text(shape, box, clutter, rng))
    if rng.random() < conditions.specks:
        drawn = np.maximum(drawn, paper.specks(shape, rng))
    if rng.random() < conditions.hole:
        drawn = np.maximum(drawn, paper.hole(shape, box, rng))
    return drawn


def cut_off(shape: tuple[int, int], box: Box, glyph: Ink, rng: Generator) -> Plane:
    """A glyph of like size, of which the picture shows less than half; nothing where there is no room for it."""
    scale = box.side * rng.uniform(0.6, 1.4) / max(glyph.shape)
    height, width = (max(2, round(length * scale)) for length in glyph.shape)
    shown = rng.uniform(0.05, 0.45)
    side = rng.integers(4)
    if side < 2:  # above, below
        seen = round(height * shown)
        top, left = (seen - height if side == 0 else shape[0] - seen), round(rng.uniform(-0.3, 1) * shape[1])
        free = box.top - 1 if side == 0 else shape[0] - box.bottom - 1
    else:
        seen = round(width * shown)
        top, left = round(rng.uniform(-0.3, 1) * shape[0]), (seen - width if side == 2 else shape[1] - seen)
        free = box.left - 1 if side == 2 else shape[1] - box.right - 1
    if free < 1:
        return np.zeros(shape, np.float32)
    shift = max(0, seen - free)
    top += -shift if side == 0 else shift if side == 1 else 0
    left += -shift if side == 2 else shift if side == 3 else 0
    return laid(resized(glyph, (height, width)), top, left, shape)


def small_text(shape: tuple[int, int], box: Box, clutter: Clutter, rng: Generator) -> Plane:
    """A line of glyphs far smaller than the digit, above or below it."""
    height = round(box.side * rng.uniform(0.08, 0.3))
    above, below = box.top - 2, shape[0] - box.bottom - 2
    if height < 3 or max(above, below) < height:
        return np.zeros(shape, np.float32)
    first, room = (0, above - height) if above >= height else (box.bottom + 2, below - height)
    row = int(first + rng.integers(room + 1))
    drawn = np.zeros(shape, np.float32)
    column = int(rng.integers(0, max(1, shape[1] // 2)))
    for _ in range(rng.integers(2, 9)):
        glyph = clutter(rng)
        width = max(1, round(glyph.shape[1] * height / glyph.shape[0]))
        drawn = np.maximum(drawn, laid(resized(glyph, (height, min(width, 2 * height))), row, column, shape))
        column += width + max(1, height // 4)
    return drawn


def as_written(glyph: Ink, rng: Generator) -> Ink:
    """Turned and slanted a little, on a sheet that the camera looks at from the side."""
    height, width = glyph.shape
    corners = np.array([[0, 0], [0, height], [width, height], [width, 0]], np.float64)
    centre = corners.mean(axis=0)
    angle, shear = rng.normal(0, 0.09), rng.normal(0, 0.12)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    seen = (corners - centre) @ (turn @ np.array([[1, shear], [0, 1]])).T * np.exp(rng.normal(0, 0.06, 2))
    seen = seen * 1.35 + centre + rng.normal(0, 0.02 * max(height, width), (4, 2))
    image = Image.fromarray(glyph)
    quad = tuple(seen.ravel().tolist())
    turned = image.transform(image.size, Image.Transform.QUAD, quad, Image.Resampling.BILINEAR)
    return np.asarray(turned)


def cropped(ink: Ink) -> Ink:
    """To where there is any; all of it where there is none."""
    rows, columns = np.flatnonzero(ink.max(axis=1) > 0.2), np.flatnonzero(ink.max(axis=0) > 0.2)
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] if len(rows) and len(columns) else ink


def resized(ink: Ink, shape: tuple[int, int]) -> Ink:
    image = Image.fromarray(np.ascontiguousarray(ink, np.float32))
    return np.asarray(image.resize(shape[::-1], Image.Resampling.BILINEAR))


def laid(ink: Ink, top: int, left: int, shape: tuple[int, int]) -> Plane:
    """`ink` on a plane of `shape`, cut off where it reaches beyond."""
    plane = np.zeros(shape, np.float32)
    first, last = max(0, top), min(shape[0], top + ink.shape[0])
    start, stop = max(0, left), min(shape[1], left + ink.shape[1])
    if first < last and start < stop:
        plane[first:last, start:stop] = ink[first - top : last - top, start - left : stop - left]
    return plane
