"""Brings a picture of one digit to the canonical form that MNIST was made in, or says why there is none to read.

The canonical digit is uint8 [28, 28], ink light on dark, scaled into a 20×20 box and centred by its mass (LeCun et
al. 1998, section III.A). Numpy and Pillow alone: training calibrates with the very same code.
"""

import functools
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.picture.grey import Grey, to_grey
from service.picture.ink import MARGIN, Mask, find_ink
from service.picture.shapes import Box, Shapes, find_shapes

SIDE = 28
BOX = 20
CENTRE = 13.5
"""Of the 28 pixels, counted from 0; the centre of mass of a canonical digit."""

JPEG_NOISE = 72
"""Grey levels that compression adds around a digit."""

BLANK_CONTRAST = 5.0
LEAST_CONTRAST = 12.0
"""Grey levels between ink and paper: under the first there is nothing, under the second it is too faint to read."""

CONTRAST_TO_NOISE = 3.0

LEAST_SIDE = 5
LEAST_REDUCED = 9
"""Pixels: of a picture; of a digit in one that had to be reduced, where there was more to see."""

LINE_SHARE = 0.9
LINE_THICKNESS = 0.08
"""A ruled line crosses so much of the picture, and is no thicker than this share of it."""

SURE_INK = 0.3
"""Of full ink: what is fainter, at the edge of a stroke, does not widen the box."""

SPECK = 0.04
"""Of the main shape's area: smaller parts are dirt."""

MOST_CROSSINGS = 4.0
"""Strokes that a line across the shape meets on average; an 8 has two, text and noise have more."""

THIN_STROKE = 1.9
"""Pixels, in the 20×20 box; MNIST's own strokes are thicker."""


class Normalised(NamedTuple):
    """Either a digit, uint8 [28, 28], or the reason why there is none to read."""

    digit: NDArray[np.uint8] | None
    reason: str | None = None


def normalise(image: Image.Image) -> Normalised:
    """Any picture that Pillow has opened, of any mode and orientation; only its first frame is looked at."""
    return normalise_grey(to_grey(image), image.size)


def normalise_grey(grey: Grey, size: tuple[int, int]) -> Normalised:
    """`size`: width and height of the picture that `grey` was made from."""
    if is_canonical(grey):
        return Normalised(grey.astype(np.uint8))
    width, height = size
    if min(size) < LEAST_SIDE:
        return Normalised(None, f"too small: {width}×{height} pixels; {LEAST_SIDE} a side are needed")
    if min(grey.shape) < LEAST_SIDE:
        return Normalised(None, f"too narrow: {width}×{height} pixels are a strip, and no digit is as long")
    strength, mask = find_ink(grey)
    if reason := unreadable(strength, mask):
        return Normalised(None, reason)
    shapes = find_shapes(without_lines(mask))
    chosen = parts_of_digit(shapes)
    if not chosen:
        return Normalised(None, "blank: only lines or dirt at the border")
    if reason := no_single_digit(shapes, chosen):
        return Normalised(None, reason)
    shape = shapes.mask(chosen)
    if reason := too_intricate(shape) or too_small(shape, grey, size):
        return Normalised(None, reason)
    return Normalised(canonical(soft_ink(strength, shape)))


def is_canonical(grey: Grey) -> bool:
    """Whether the picture already is what `normalise` makes, give or take a JPEG's noise: again would only blur it."""
    # At this size numpy finds the place of the maximum in a quarter of the time that `max` takes.
    if grey.shape != (SIDE, SIDE) or grey.item(grey.argmax()) < 128:
        return False
    box = bounds(grey > JPEG_NOISE)
    if not BOX - 3 <= max(box.height, box.width) <= BOX + 1:
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


def bounds(mask: Mask) -> Box:
    """Of a mask that is not empty."""
    # Bytes are searched faster than numpy gets to its loop.
    height, width = mask.shape
    by_row, by_column = mask.tobytes(), mask.T.tobytes()
    return Box(
        by_row.find(1) // width,
        by_row.rfind(1) // width + 1,
        by_column.find(1) // height,
        by_column.rfind(1) // height + 1,
    )


def unreadable(strength: Grey, mask: Mask) -> str | None:
    """Why nothing in the picture can be ink."""
    pixels = np.count_nonzero(mask)
    rest = mask.size - pixels
    if not pixels or not rest:
        return "blank: no ink stands out from the background"
    paper = np.where(mask, 0, strength).ravel()
    on_paper = float(paper.sum())
    contrast = (float(strength.sum()) - on_paper) / pixels
    noise = math.sqrt(max(0.0, float(paper @ paper) / rest - (on_paper / rest) ** 2))
    if contrast < BLANK_CONTRAST or contrast < CONTRAST_TO_NOISE * noise:
        return "blank: no ink stands out from the background"
    if contrast < LEAST_CONTRAST:
        return f"too faint: ink and paper are {contrast:.1f} grey levels apart, {LEAST_CONTRAST:.0f} are needed"
    return None


def without_lines(mask: Mask) -> Mask:
    """Without the lines of ruled and squared paper, which cross the whole picture; what a stroke covers stays.

    Only where the rest is well narrower than the picture: the bar of a 7 cropped closely crosses it all too.
    """
    full_rows = mask.sum(axis=1) >= LINE_SHARE * mask.shape[1]
    full_columns = mask.sum(axis=0) >= LINE_SHARE * mask.shape[0]
    if not full_rows.any() and not full_columns.any():
        return mask
    cleaned = without_bands(without_bands(mask, full_rows).T, full_columns).T
    if not cleaned.any():
        return mask
    rest = bounds(cleaned)
    return cleaned if max(rest.width / mask.shape[1], rest.height / mask.shape[0]) < LINE_SHARE else mask


def without_bands(mask: Mask, full: Mask) -> Mask:
    """Clears each band of rows that is `full` and thin, but for the pixels with ink right above and below it."""
    cleaned = mask.copy()
    steps = np.diff(np.concatenate([[0], full.astype(np.int8), [0]]))
    for top, bottom in zip(np.flatnonzero(steps == 1).tolist(), np.flatnonzero(steps == -1).tolist(), strict=True):
        if bottom - top > max(1, LINE_THICKNESS * len(full)):
            continue
        inner = top > 0 and bottom < len(mask)
        cleaned[top:bottom] = mask[top - 1] & mask[bottom] if inner else False
    return cleaned


def parts_of_digit(shapes: Shapes) -> list[int]:
    """The main shape and what belongs to it, without box lines, neighbours at the border and dirt."""
    height, width = shapes.whole.shape
    rows, columns = max(1, round(height * MARGIN)), max(1, round(width * MARGIN))
    if not shapes.whole[rows:-rows, columns:-columns].any():
        return []
    if shapes.count == 1:
        return [0]
    areas = shapes.areas()
    inside = shapes.areas_inside(Box(rows, height - rows, columns, width - columns))
    central = shapes.areas_inside(Box(height // 4, height - height // 4, width // 4, width - width // 4))
    main = int((central if central.any() else inside).argmax())
    box = shapes.box(main)
    near = shapes.areas_inside(box.grown(max(1, box.height // 10)))
    kept = (areas > SPECK * areas[main]) & (inside >= 0.3 * areas) & (near >= 0.5 * areas)
    kept[main] = True
    return np.flatnonzero(kept).tolist()


def no_single_digit(shapes: Shapes, chosen: list[int]) -> str | None:
    """Whether beside, above or under the main shape stands another of its kind: as large, with as much ink."""
    if shapes.count == 1:
        return None
    height, width = shapes.whole.shape
    areas = shapes.areas()
    main = max(chosen, key=lambda shape: int(areas[shape]))
    box = shapes.box(main)
    inside = shapes.areas_inside(Box(1, height - 1, 1, width - 1))
    likely = np.flatnonzero((areas > 0.3 * areas[main]) & (inside > 0.6 * areas)).tolist()
    others = [other for other in likely if other != main and is_another(box, shapes.box(other))]
    if not others:
        return None
    return f"several digits: {len(others) + 1} shapes of like size stand side by side; crop to one"


def is_another(box: Box, other: Box) -> bool:
    """A shape of like height, clearly apart, and no line: of a box or of ruled paper, longer than the digit is high."""
    if other.width < LINE_THICKNESS * other.height * 2 and other.height > 1.15 * box.height:
        return False
    beside = other.left >= box.right - 1 or other.right <= box.left + 1
    level = min(box.bottom, other.bottom) - max(box.top, other.top) > 0.5 * min(box.height, other.height)
    gap = max(other.top - box.bottom, box.top - other.bottom)
    stacked = gap > 0.1 * box.height and other.width > 0.3 * box.width
    return 0.6 < other.height / box.height < 1.6 and ((beside and level) or stacked)


def too_small(shape: Mask, grey: Grey, size: tuple[int, int]) -> str | None:
    """Whether reducing a large picture has left next to nothing of the digit in it."""
    box = bounds(shape)
    side = max(box.height, box.width)
    if side >= LEAST_REDUCED or max(size) <= max(grey.shape):
        return None
    share = side / max(grey.shape)
    return f"too small: the digit takes up {share:.0%} of the picture's side; crop closer to it"


def too_intricate(shape: Mask) -> str | None:
    """Text, a page, a pattern or noise: more strokes across it than any digit has."""
    box = bounds(shape)
    inner = shape[box.top : box.bottom, box.left : box.right]
    across = (np.count_nonzero(inner[:, 1:] > inner[:, :-1]) + np.count_nonzero(inner[:, 0])) / box.height
    down = (np.count_nonzero(inner[1:] > inner[:-1]) + np.count_nonzero(inner[0])) / box.width
    if max(across, down) <= MOST_CROSSINGS:
        return None
    return f"not a digit: a line across it meets {max(across, down):.0f} strokes, as in text, patterns or noise"


def soft_ink(strength: Grey, shape: Mask) -> Grey:
    """0 to 1: full ink is 1, the soft edge of a stroke is kept, everything away from `shape` is 0."""
    height, width = shape.shape
    wide = np.zeros((height + 2, width + 2), bool)
    wide[1:-1, 1:-1] = shape
    wide = wide[:-2] | wide[1:-1] | wide[2:]
    near = wide[:, :-2] | wide[:, 1:-1] | wide[:, 2:]
    ink = strength[shape]
    full = float(np.partition(ink, int(0.6 * ink.size))[int(0.6 * ink.size)])
    soft: Grey = np.minimum(strength / full, 1) * near
    return soft


def canonical(ink: Grey) -> NDArray[np.uint8]:
    """Crops to the ink, scales its longer side to 20, and centres by mass. ink: 0 to 1, somewhere over `SURE_INK`."""
    box = bounds(ink > SURE_INK)
    scale = BOX / max(box.height, box.width)
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
