"""The digit as rules find it: what stands out from the paper, without lines, neighbours at the border and dirt."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.picture.arrays import Grey, Mask
from service.picture.canonical import canonical, soft_ink
from service.picture.ink import find_ink
from service.picture.parts import parts_of_digit, without_lines
from service.picture.refuse import digits_among, no_ink, several, too_intricate, too_small
from service.picture.shapes import Box, bounds, find_shapes


class ByContrast(NamedTuple):
    """Either a digit, uint8 [28, 28], or the reason why there is none to read.

    `flat`: on paper of one level, where what stands out is no noise. `sure`: nothing but one shape on such paper, apart
    from the border, where rules do not go wrong.
    `several`: where each of several digits is, if that is the reason.
    """

    digit: NDArray[np.uint8] | None
    reason: str | None = None
    flat: bool = False
    sure: bool = False
    several: tuple[Box, ...] = ()


def by_contrast(grey: Grey, size: tuple[int, int]) -> ByContrast:
    """`size`: width and height of the picture that `grey` was made from."""
    ink = find_ink(grey)
    if reason := no_ink(ink.strength, ink.mask):
        return ByContrast(None, reason)
    shapes = find_shapes(without_lines(ink.mask))
    chosen = parts_of_digit(shapes)
    if not chosen:
        return ByContrast(None, "blank: only lines or dirt at the border")
    digits = digits_among(shapes, chosen)
    if reason := several(len(digits)):
        return ByContrast(None, reason, several=tuple(digits))
    shape = shapes.mask(chosen)
    if reason := too_intricate(shape) or too_small(shape, grey, size):
        return ByContrast(None, reason)
    sure = ink.on_flat_paper and shapes.count == 1 and not touches_border(ink.mask)
    return ByContrast(canonical(soft_ink(ink.strength, shape)), None, ink.on_flat_paper, sure)


def touches_border(mask: Mask) -> bool:
    """Of a mask that is not empty."""
    box = bounds(mask)
    height, width = mask.shape
    return 0 in (box.top, box.left, height - box.bottom, width - box.right)
