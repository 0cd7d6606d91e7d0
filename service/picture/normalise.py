"""Brings a picture of one digit to the canonical form, or says why there is none to read.

Where a picture leaves no doubt, by rules alone. Else a network looks for the ink as well, twice where rules find
nothing, and there are two candidates: what reads both decides.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.picture.arrays import Grey
from service.picture.canonical import is_canonical
from service.picture.contrast import ByContrast, by_contrast
from service.picture.find import UNCLEAR, WHOLE, Found, Look, Region, count_written, find, find_wider, within
from service.picture.grey import to_grey
from service.picture.refuse import too_few_pixels
from service.picture.shapes import Box

CANONICAL = "it is canonical already"
CONTRAST = "ink is what stands out from the paper"
LEARNED = "ink is where a network finds it"
LEARNED_WIDER = "ink is where the network finds it in a wider view"

# Of several digits, so many at most are looked at one by one.
MOST_COUNTED = 6


class Normalised(NamedTuple):
    """Either candidates for the digit, uint8 [K, 28, 28], with what each assumes, or why there is none to read.

    `dropped`: what else was assumed, and why that gives no candidate, where it does not.
    """

    digits: NDArray[np.uint8] | None
    assumed: tuple[str, ...] = ()
    reason: str | None = None
    dropped: tuple[tuple[str, str], ...] = ()


def normalise(image: Image.Image) -> Normalised:
    """An upright picture of any mode that Pillow has opened; only its first frame is looked at."""
    # Of more than eight bits each part would be stretched by itself, and what is blank become noise.
    in_bytes = not image.mode.startswith("I") and image.mode != "F"
    look = (lambda region: to_grey(image.crop(pixels_of(region, image.size)))) if in_bytes else None
    return normalise_grey(to_grey(image), image.size, look)


def normalise_grey(grey: Grey, size: tuple[int, int], look: Look | None = None) -> Normalised:
    """`size`: width and height of the picture that `grey` was made from. `look`: at it, where it has more pixels."""
    if is_canonical(grey):
        return Normalised(grey.astype(np.uint8)[np.newaxis], (CANONICAL,))
    if reason := too_few_pixels(grey, size):
        return Normalised(None, reason=reason)
    by_rules = by_contrast(grey, size)
    if by_rules.sure and by_rules.digit is not None:
        return Normalised(by_rules.digit[np.newaxis], (CONTRAST,))
    look = looking_at(grey, look if size != grey.shape[::-1] else None)
    found = find(look, size)
    if found.digit is not None and overlooked(by_rules.several, found.region, grey.shape, look):
        return nothing(by_rules.reason, by_rules, found)
    if found.digit is not None and not found.reason and found.region != WHOLE:
        # By rules as well once more, where the digit is large. What they took of the whole picture does not count: it
        # is the margin of a page far more often than a digit that the network has overlooked.
        left, top, right, bottom = pixels_of(found.region, size)
        by_rules = by_contrast(found.view, (right - left, bottom - top))
    return joined(by_rules, found)


def overlooked(digits: tuple[Box, ...], region: Region, shape: tuple[int, int], look: Look) -> bool:
    """Whether another digit is written outside `region`, where the network looked closer at one of several; or whether
    it took two that are far apart for one.

    `digits`: where rules see some; they take bits of a frame for them, too, and pieces of a broken stroke.
    """
    places = [within(WHOLE, box.grown(box.side // 4 + 1), shape) for box in digits[:MOST_COUNTED]]
    outside = [place for place in places if not region.holds_middle_of(place)]
    if outside or not are_apart(digits, shape):
        return count_written(outside, look) > 0
    return count_written(places, look) > 1


def are_apart(digits: tuple[Box, ...], shape: tuple[int, int]) -> bool:
    """Whether the first has paper around it that no other shares, each half of the first one's side wide."""
    if not digits:
        return False
    room = digits[0].side // 2
    first, *others = (box.grown(room) for box in digits)
    clear = all(
        box.top >= first.bottom or box.bottom <= first.top or box.left >= first.right or box.right <= first.left
        for box in others
    )
    return clear and all(
        min(box.top, box.left, shape[0] - box.bottom, shape[1] - box.right) >= 0 for box in (first, *others)
    )


def joined(by_rules: ByContrast, found: Found) -> Normalised:
    """The network that finds the ink has the last word on whether there is any of a single digit, unless it may be
    mistaken: a stroke that fills half of a close crop is unlike what it knows. What it finds and may be noise is read
    beside what rules find, and not alone."""
    if found.digit is None and by_rules.digit is not None and by_rules.flat:
        return Normalised(by_rules.digit[np.newaxis], (CONTRAST,), dropped=reasons(by_rules, found))
    if found.digit is None or (by_rules.digit is None and found.reason):
        return nothing(by_rules.reason or found.reason, by_rules, found)
    if by_rules.digit is None:
        return looked_at_twice(by_rules, found, found.digit)
    return Normalised(np.stack([by_rules.digit, found.digit]), (CONTRAST, LEARNED))


def looked_at_twice(by_rules: ByContrast, found: Found, digit: NDArray[np.uint8]) -> Normalised:
    """Where rules find nothing the network has to agree with itself: it sees digits in noise now and then."""
    again = find_wider(found.view)
    if again is None:
        return nothing(by_rules.reason, by_rules, found._replace(reason=UNCLEAR))
    return Normalised(np.stack([digit, again]), (LEARNED, LEARNED_WIDER), dropped=reasons(by_rules, found))


def nothing(reason: str | None, by_rules: ByContrast, found: Found) -> Normalised:
    return Normalised(None, reason=reason, dropped=reasons(by_rules, found))


def reasons(by_rules: ByContrast, found: Found) -> tuple[tuple[str, str], ...]:
    """Why each gives no digit, as far as it does not."""
    tried = ((CONTRAST, by_rules.reason), (LEARNED, found.reason))
    return tuple((what, why) for what, why in tried if why)


def looking_at(grey: Grey, closer: Look | None = None) -> Look:
    """`closer`: at the picture that `grey` was made from, where it has more pixels."""

    def look(region: Region) -> Grey:
        if region == WHOLE:
            return grey
        if closer:
            return closer(region)
        left, top, right, bottom = pixels_of(region, grey.shape[::-1])
        return grey[top:bottom, left:right]

    return look


def pixels_of(region: Region, size: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom, as Pillow has them, in a picture of width and height `size`; none less than five."""
    left, right = span(region.left, region.right, size[0])
    top, bottom = span(region.top, region.bottom, size[1])
    return left, top, right, bottom


def span(start: float, stop: float, length: int) -> tuple[int, int]:
    first, last = int(start * length), min(length, int(stop * length) + 1)
    return min(first, max(0, length - 5)), min(length, max(last, first + 5))
