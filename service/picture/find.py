"""The digit as a network finds it: looks at the whole picture, then closer where it is small, and takes its ink."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.picture.arrays import Grey, Mask
from service.picture.canonical import canonical
from service.picture.ink_finder import SIDE, find_ink
from service.picture.refuse import several_digits, too_intricate
from service.picture.shapes import Box, Shapes, bounds, find_shapes, grown

# The probability from which a pixel is ink, and the least mean of what is no noise: nine in ten digits have 0.76 and
# more, and one in ten blank sheets comes up to this.
INK = 0.5
CLEAR = 0.67

# What is added around a view to look at it otherwise, of its height and width.
WIDER = 0.15

UNCLEAR = "blank: what there is may be noise"

# Of the largest shape's area: what is smaller is dirt.
SPECK = 0.05

# Pixels at the border of a part where nothing is looked for: the next part shows it better, or it is a bit of a line.
EDGE = 5

# Pixels in all from which a picture may hold a digit too small to be seen at the first look; what takes up less of the
# side than the second is looked for in parts that are so large. Smaller pictures are prepared where others wait for it.
LARGE = 48 * 48
LOST = 0.2
PART = 0.4

# What takes up less of a view's side is looked at more closely, with so much of its side around it, so many times.
SMALL = 0.42
AROUND = 0.45
LOOKS = 2


class Region(NamedTuple):
    """Of a picture, in shares of its height and width."""

    top: float
    bottom: float
    left: float
    right: float

    def holds_middle_of(self, other: "Region") -> bool:
        row, column = (other.top + other.bottom) / 2, (other.left + other.right) / 2
        return self.top <= row <= self.bottom and self.left <= column <= self.right


WHOLE = Region(0, 1, 0, 1)

# The grey levels of a region, as many pixels of it as there are up to the working size.
Look = Callable[[Region], Grey]


class Found(NamedTuple):
    """A digit, uint8 [28, 28], or the reason why there is none to read; the region looked at last, and its view.

    One that may be noise comes with that reason.
    """

    digit: NDArray[np.uint8] | None
    reason: str | None
    region: Region
    view: Grey


def find(look: Look, size: tuple[int, int]) -> Found:
    """`size`: width and height of the picture, in its own pixels."""
    region, view, probability = closest(look, size)
    mask = probability > INK
    if not mask.any():
        return Found(None, "blank: nothing that is written or printed stands out", region, view)
    # The pieces of a broken stroke are a few pixels apart, digits are further.
    joined = find_shapes(grown(grown(mask)))
    ink = without_dirt_of(mask)
    if reason := several_digits(joined, without_dirt(joined)) or too_intricate(ink):
        return Found(None, reason, region, view)
    unclear = UNCLEAR if probability[ink].mean() < CLEAR else None
    return Found(canonical(probability * grown(ink)), unclear, region, view)


def find_wider(view: Grey) -> NDArray[np.uint8] | None:
    """The digit of a view, uint8 [28, 28], once more: smaller, with the levels of its border around it. Of noise it is
    another one, or none."""
    height, width = (int(WIDER * length) + 1 for length in view.shape)
    (probability,) = find_ink([np.pad(view, ((height, height), (width, width)), mode="edge")])
    mask = probability > INK
    return canonical(probability * grown(without_dirt_of(mask))) if mask.any() else None


def count_written(regions: list[Region], look: Look) -> int:
    """How many of `regions`, looked at one by one, hold something written that is about as large as they are."""
    found = find_ink([look(region) for region in regions]) if regions else []
    return sum(not is_lost(probability > INK, share=SMALL) for probability in found)


def closest(look: Look, size: tuple[int, int]) -> tuple[Region, Grey, Grey]:
    """The region that shows the digit large enough, the view of it, and the probability of ink in that."""
    region, view = WHOLE, look(WHOLE)
    (probability,) = find_ink([view])
    if size[0] * size[1] >= LARGE and is_lost(probability > INK):
        region, view, probability = best_of(parts(view.shape), look) or (region, view, probability)
    for _ in range(LOOKS):
        closer = closer_to_ink(region, probability > INK)
        if closer is None:
            break
        nearer = look(closer)
        (near,) = find_ink([nearer])
        if not (near > INK).any():
            break
        region, view, probability = closer, nearer, near
    return region, view, probability


def is_lost(mask: Mask, share: float = LOST) -> bool:
    """Whether nothing is found that takes up so much of the side."""
    return not mask.any() or bounds(mask).side < share * SIDE


def parts(shape: tuple[int, int]) -> list[Region]:
    """Squares that cover a picture and half of each other."""
    side = PART * max(shape)
    tops, lefts = (np.linspace(0, length - min(length, side), number_of(length, side)) for length in shape)
    height, width = (min(length, side) / length for length in shape)
    return [
        Region(top / shape[0], top / shape[0] + height, left / shape[1], left / shape[1] + width)
        for top in tops
        for left in lefts
    ]


def number_of(length: int, side: float) -> int:
    return 1 if length <= side else math.ceil(2 * length / side) - 1


def best_of(regions: list[Region], look: Look) -> tuple[Region, Grey, Grey] | None:
    """As `closest` has it, the one with most ink of shapes that it does not cut off; None where there are none."""
    views = [look(region) for region in regions]
    found = find_ink(views)
    ink = [most_ink(probability) for probability in found]
    best = int(np.argmax(ink))
    return (regions[best], views[best], found[best]) if ink[best] else None


def most_ink(probability: Grey) -> float:
    """Pixels of the shapes that keep off the border."""
    mask = probability > INK
    if not mask.any():
        return 0.0
    shapes = find_shapes(mask)
    height, width = mask.shape
    whole = shapes.areas_inside(Box(0, height, 0, width).grown(-EDGE)) == shapes.areas()
    return float((shapes.areas() * whole).sum())


def closer_to_ink(region: Region, mask: Mask) -> Region | None:
    """None where there is no ink, or it fills the view well enough."""
    if not mask.any():
        return None
    box = bounds(without_dirt_of(mask))
    if box.side >= SMALL * SIDE:
        return None
    room = round(AROUND * box.side) + 2
    return within(region, box.grown(room), mask.shape)


def within(region: Region, box: Box, shape: tuple[int, int]) -> Region:
    """`box`, in a view of `shape` of `region`, as a region of the picture."""
    height, width = (region.bottom - region.top) / shape[0], (region.right - region.left) / shape[1]
    return Region(
        region.top + max(0, box.top) * height,
        region.top + min(shape[0], box.bottom) * height,
        region.left + max(0, box.left) * width,
        region.left + min(shape[1], box.right) * width,
    )


def without_dirt_of(mask: Mask) -> Mask:
    shapes = find_shapes(mask)
    return shapes.mask(without_dirt(shapes))


def without_dirt(shapes: Shapes) -> list[int]:
    areas = shapes.areas()
    kept = areas >= max(2, SPECK * areas.max())
    kept[areas.argmax()] = True
    return np.flatnonzero(kept).tolist()
