"""Brings a picture of one digit to the canonical form, or says why there is none to read: ink, shapes, digit."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.picture.arrays import Grey
from service.picture.canonical import canonical, is_canonical, soft_ink
from service.picture.grey import to_grey
from service.picture.ink import find_ink
from service.picture.parts import parts_of_digit, without_lines
from service.picture.refuse import no_ink, several_digits, too_few_pixels, too_intricate, too_small
from service.picture.shapes import find_shapes


class Normalised(NamedTuple):
    """Either a digit, uint8 [28, 28], or the reason why there is none to read."""

    digit: NDArray[np.uint8] | None
    reason: str | None = None


def normalise(image: Image.Image) -> Normalised:
    """An upright picture of any mode that Pillow has opened; only its first frame is looked at."""
    return normalise_grey(to_grey(image), image.size)


def normalise_grey(grey: Grey, size: tuple[int, int]) -> Normalised:
    """`size`: width and height of the picture that `grey` was made from."""
    if is_canonical(grey):
        return Normalised(grey.astype(np.uint8))
    if reason := too_few_pixels(grey, size):
        return Normalised(None, reason)
    strength, mask = find_ink(grey)
    if reason := no_ink(strength, mask):
        return Normalised(None, reason)
    shapes = find_shapes(without_lines(mask))
    chosen = parts_of_digit(shapes)
    if not chosen:
        return Normalised(None, "blank: only lines or dirt at the border")
    if reason := several_digits(shapes, chosen):
        return Normalised(None, reason)
    shape = shapes.mask(chosen)
    if reason := too_intricate(shape) or too_small(shape, grey, size):
        return Normalised(None, reason)
    return Normalised(canonical(soft_ink(strength, shape)))
