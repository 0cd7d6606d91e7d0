"""Why there is no digit to read in a picture: each check gives a reason, or None where it finds nothing against it."""

import math

import numpy as np

from service.picture.arrays import Grey, Mask
from service.picture.parts import LINE_THICKNESS
from service.picture.shapes import Box, Shapes, bounds

# Grey levels between ink and paper: under the first there is nothing, under the second it is too faint to read.
BLANK_CONTRAST = 5.0
LEAST_CONTRAST = 12.0

CONTRAST_TO_NOISE = 3.0

# Pixels: of a picture; of a digit in one that had to be reduced, where there was more to see.
LEAST_SIDE = 5
LEAST_REDUCED = 9

# Strokes that a line across the shape meets on average; an 8 has two, text and noise have more.
MOST_CROSSINGS = 4.0


def too_few_pixels(grey: Grey, size: tuple[int, int]) -> str | None:
    """`size`: width and height of the picture that `grey` was made from."""
    width, height = size
    if min(size) < LEAST_SIDE:
        return f"too small: {width}×{height} pixels; {LEAST_SIDE} a side are needed"
    if min(grey.shape) < LEAST_SIDE:
        return f"too narrow: {width}×{height} pixels are a strip, and no digit is as long"
    return None


def no_ink(strength: Grey, mask: Mask) -> str | None:
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


def several_digits(shapes: Shapes, chosen: list[int]) -> str | None:
    return several(len(digits_among(shapes, chosen)))


def several(count: int) -> str | None:
    if count < 2:
        return None
    return f"several digits: {count} shapes of like size stand side by side; crop to one"


def digits_among(shapes: Shapes, chosen: list[int]) -> list[Box]:
    """The main shape, and what beside, above or under it is of its kind: as large, with as much ink."""
    if shapes.count == 1:
        return [shapes.box(0)]
    height, width = shapes.whole.shape
    areas = shapes.areas()
    main = max(chosen, key=lambda shape: int(areas[shape]))
    boxes = shapes.boxes()
    box = boxes[main]
    inside = shapes.areas_inside(Box(1, height - 1, 1, width - 1))
    likely = np.flatnonzero((areas > 0.3 * areas[main]) & (inside > 0.6 * areas)).tolist()
    return [box, *(boxes[other] for other in likely if other != main and is_another(box, boxes[other]))]


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
    if box.side >= LEAST_REDUCED or max(size) <= max(grey.shape):
        return None
    share = box.side / max(grey.shape)
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
