"""Digits of counters: a wheel behind a window, where parts of the digits before and after are seen as well."""

from typing import NamedTuple

import numpy as np
from numpy.random import Generator

from service.picture.shapes import Box
from training.data import glyphs
from training.data.dataset import NOT_A_DIGIT
from training.data.paper import Plane
from training.data.scene import Clutter, Conditions, Scene, laid, on_paper, resized

# Nobody writes on a wheel, and it has no lines.
BEHIND_GLASS = Conditions(ruled=0, neighbours=0, text=0, framed=0.35, edge=0.3, one_bit=0.05)

# From how much of the digit that is seen most on it is that digit, and up to how much it is none.
READ, NOT_READ = 0.9, 0.7

# How much of another may be seen beside a digit that is read.
MOST_OF_ANOTHER = 0.35


class Wheel(NamedTuple):
    """digit, others: [H, W], 0 to 1, what the digit that is seen most covers of the window, and the others."""

    digit: Plane
    others: Plane
    box: Box
    label: int


def make_scene(rng: Generator, clutter: Clutter, held_out: bool) -> tuple[Scene, int]:
    """The scene and its label. Its ink is the digit, or all that is seen where it is none."""
    wheel = turned(rng, held_out)
    while wheel is None:
        wheel = turned(rng, held_out)
    if wheel.label == NOT_A_DIGIT:
        return on_paper(np.maximum(wheel.digit, wheel.others), wheel.box, clutter, rng, BEHIND_GLASS), NOT_A_DIGIT
    return on_paper(wheel.digit, wheel.box, clutter, rng, BEHIND_GLASS, wheel.others), wheel.label


def turned(rng: Generator, held_out: bool) -> Wheel | None:
    """None where it stands so that nobody can say whether it is a digit."""
    fonts = glyphs.font_paths(held_out)
    font = fonts[rng.integers(len(fonts))]
    middle = int(rng.integers(10))
    height = int(rng.integers(9, 60))
    step = height * rng.uniform(1.1, 1.7)
    window = round(height * rng.uniform(1.02, 1.75)), round(height * rng.uniform(0.75, 1.3))
    centre = window[0] / 2 + rng.uniform(-0.5, 0.5) * step
    planes, shown = [], []
    for place in (-1, 0, 1):
        top = round(centre + place * step - height / 2)
        glyph = glyphs.printed(str((middle + place) % 10), font)
        width = min(window[1], max(2, round(glyph.shape[1] * height / glyph.shape[0])))
        planes.append(laid(resized(glyph, (height, width)), top, (window[1] - width) // 2, window))
        shown.append(max(0, min(window[0], top + height) - max(0, top)) / height)
    most = int(np.argmax(shown))
    second = sorted(shown)[-2]
    if shown[most] < NOT_READ:
        label = NOT_A_DIGIT
    elif shown[most] > READ and second < MOST_OF_ANOTHER:
        label = (middle + most - 1) % 10
    else:
        return None
    rows = np.flatnonzero(planes[most].max(axis=1))
    columns = np.flatnonzero(planes[most].max(axis=0))
    if not len(rows):
        return None
    box = Box(int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1)
    others = np.maximum.reduce([plane for place, plane in enumerate(planes) if place != most])
    return Wheel(planes[most], others, box, label)
