"""The canonical digit: the form that MNIST was made in, and how ink is brought to it.

It is uint8 [28, 28], ink light on dark, scaled into a 20×20 box and centred by its mass (LeCun et al. 1998, section
III.A).
"""

import functools
import math

import numpy as np
from numpy.typing import NDArray

from service.picture.arrays import Grey, Mask
from service.picture.shapes import bounds, grown

SIDE = 28
BOX = 20
# Of the 28 pixels, counted from 0: where the centre of mass comes to.
CENTRE = 13.5

# Grey levels that compression adds around a digit.
JPEG_NOISE = 72

# Of full ink: what is fainter, at the edge of a stroke, does not widen the box.
SURE_INK = 0.3

# Pixels, in the 20×20 box; MNIST's own strokes are thicker.
THIN_STROKE = 1.9


def is_canonical(grey: Grey) -> bool:
    """Whether the picture already is what `normalise` makes, give or take a JPEG's noise: again would only blur it."""
    # At this size numpy finds the place of the maximum in a quarter of the time that `max` takes.
    if grey.shape != (SIDE, SIDE) or grey.item(grey.argmax()) < 128:
        return False
    box = bounds(grey > JPEG_NOISE)
    if not BOX - 3 <= box.side <= BOX + 1:
        return False
    row, column = centre_of_mass(grey)
    return abs(row - CENTRE) <= 1 and abs(column - CENTRE) <= 1


def centre_of_mass(values: Grey) -> tuple[float, float]:
    """Row and column."""
    # A product: numpy's sums along an axis take several times as long at this size, and @ twice as long as dot.
    total, by_row, by_column = moments(*values.shape).dot(values.ravel()).tolist()
    return by_row / total, by_column / total


@functools.cache
def moments(height: int, width: int) -> Grey:
    """[3, height * width]: weights for the sum, and for the sums of row and column numbers."""
    rows, columns = np.indices((height, width), np.float32)
    return np.stack([np.ones_like(rows), rows, columns]).reshape(3, -1)


def soft_ink(strength: Grey, shape: Mask) -> Grey:
    """0 to 1: full ink is 1, the soft edge of a stroke is kept, everything away from `shape` is 0."""
    ink = strength[shape]
    full = float(np.partition(ink, int(0.6 * ink.size))[int(0.6 * ink.size)])
    soft: Grey = np.minimum(strength / full, 1) * grown(shape)
    return soft


def canonical(ink: Grey) -> NDArray[np.uint8]:
    """Crops to the ink, scales its longer side to 20, and centres by mass. ink: 0 to 1, somewhere over `SURE_INK`."""
    box = bounds(ink > SURE_INK)
    scale = BOX / box.side
    height, width = max(1, round(box.height * scale)), max(1, round(box.width * scale))
    cropped = ink[box.top : box.bottom, box.left : box.right]
    scaled = np.asarray(resampling(box.height, height) @ cropped @ resampling(box.width, width).T, dtype=np.float32)
    return place(embolden(scaled / np.float32(max(float(scaled.max()), 1e-6))))


@functools.lru_cache(maxsize=1024)
def resampling(old: int, new: int) -> Grey:
    """float32 [new, old]: each new pixel's weights, a triangle as wide as a pixel of the coarser of the two grids.

    Pillow's bilinear filter as a matrix: for pictures so small its way through an image object takes ten times as long.
    """
    support = max(1.0, old / new)
    centres = (np.arange(new) + 0.5) * old / new
    distances = np.abs(np.arange(old) + 0.5 - centres[:, None]) / support
    weights = np.maximum(1 - distances, 0)
    normalised: Grey = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return normalised


def stroke_width(ink: Grey) -> float:
    """Pixels: twice the area over the length of the outline."""
    solid = ink > 0.5
    edges = np.count_nonzero(solid[1:] != solid[:-1]) + np.count_nonzero(solid[:, 1:] != solid[:, :-1])
    edges += sum(np.count_nonzero(side) for side in (solid[0], solid[-1], solid[:, 0], solid[:, -1]))
    # Pixel edges are longer than the outline they follow: by 4 / pi over all directions.
    return 2 * np.count_nonzero(solid) / max(edges * math.pi / 4, 1)


def embolden(ink: Grey) -> Grey:
    """Thin pencil strokes are widened by a soft pixel; MNIST, and so every network here, knows none so thin."""
    if stroke_width(ink) >= THIN_STROKE:
        return ink
    wide = np.pad(ink, 1)
    neighbours = np.maximum.reduce([wide[:-2, 1:-1], wide[2:, 1:-1], wide[1:-1, :-2], wide[1:-1, 2:]])
    bolder: Grey = np.maximum(ink, 0.6 * neighbours)
    return bolder


def place(ink: Grey) -> NDArray[np.uint8]:
    """Puts up to 20×20 pixels into 28×28 so that the centre of mass comes to the centre."""
    row, column = centre_of_mass(ink)
    height, width = ink.shape
    top = min(max(round(CENTRE - row), 0), SIDE - height)
    left = min(max(round(CENTRE - column), 0), SIDE - width)
    digit = np.zeros((SIDE, SIDE), np.uint8)
    digit[top : top + height, left : left + width] = np.rint(ink * 255)
    return digit
