"""The connected shapes of a mask, as runs of pixels: a digit of 28×28 has about sixty, so plain Python is fast."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from service.picture.arrays import Counts, Mask


class Box(NamedTuple):
    """Rows and columns from `top`, `left` up to and without `bottom`, `right`."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def side(self) -> int:
        return max(self.height, self.width)

    def grown(self, by: int) -> "Box":
        return Box(self.top - by, self.bottom + by, self.left - by, self.right + by)


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


def grown(mask: Mask) -> Mask:
    """By a pixel all around, for the soft edge of a stroke."""
    height, width = mask.shape
    wide = np.zeros((height + 2, width + 2), bool)
    wide[1:-1, 1:-1] = mask
    wide = wide[:-2] | wide[1:-1] | wide[2:]
    near: Mask = wide[:, :-2] | wide[:, 1:-1] | wide[:, 2:]
    return near


@dataclass(frozen=True)
class Shapes:
    """Runs of a row each, sorted by row and column, and the number from 0 of the shape that each belongs to."""

    whole: Mask
    rows: Counts
    starts: Counts
    stops: Counts
    owners: Counts
    count: int

    def areas(self) -> Counts:
        """Pixels of each shape."""
        return np.bincount(self.owners, self.stops - self.starts, self.count).astype(np.intp)

    def areas_inside(self, box: Box) -> Counts:
        """Pixels of each shape in `box`."""
        length = np.minimum(self.stops, box.right) - np.maximum(self.starts, box.left)
        within = (self.rows >= box.top) & (self.rows < box.bottom)
        return np.bincount(self.owners, np.where(within, length.clip(min=0), 0), self.count).astype(np.intp)

    def box(self, shape: int) -> Box:
        own = self.owners == shape
        rows = self.rows[own]
        return Box(int(rows[0]), int(rows[-1]) + 1, int(self.starts[own].min()), int(self.stops[own].max()))

    def boxes(self) -> list[Box]:
        """Of all shapes, in one go: there may be a thousand of them."""
        height, width = self.whole.shape
        tops, lefts = np.full(self.count, height, np.intp), np.full(self.count, width, np.intp)
        bottoms, rights = np.zeros(self.count, np.intp), np.zeros(self.count, np.intp)
        np.minimum.at(tops, self.owners, self.rows)
        np.maximum.at(bottoms, self.owners, self.rows + 1)
        np.minimum.at(lefts, self.owners, self.starts)
        np.maximum.at(rights, self.owners, self.stops)
        return [Box(*sides) for sides in np.stack([tops, bottoms, lefts, rights], axis=1).tolist()]

    def mask(self, chosen: list[int]) -> Mask:
        if len(chosen) == self.count:
            return self.whole
        mask = np.zeros_like(self.whole)
        own = np.isin(self.owners, chosen)
        for row, start, stop in zip(
            self.rows[own].tolist(), self.starts[own].tolist(), self.stops[own].tolist(), strict=True
        ):
            mask[row, start:stop] = True
        return mask


def find_shapes(mask: Mask) -> Shapes:
    """8-connected."""
    height, width = mask.shape
    edged = np.zeros((height, width + 1), bool)
    edged[:, 1:] = mask
    flat = np.append(edged.ravel(), False)
    # Begins and ends of runs in turns: the empty column keeps the runs of two rows apart.
    changes = np.flatnonzero(flat[1:] != flat[:-1])
    rows, starts = np.divmod(changes[::2], width + 1)
    stops = starts + changes[1::2] - changes[::2]
    owners, count = join(rows.tolist(), starts.tolist(), stops.tolist())
    return Shapes(mask, rows, starts, stops, np.array(owners, np.intp), count)


def join(rows: list[int], starts: list[int], stops: list[int]) -> tuple[list[int], int]:
    """The number of each run's shape, and how many there are: runs are joined with those above that they touch."""
    parent = list(range(len(rows)))

    def root(run: int) -> int:
        while parent[run] != run:
            parent[run] = parent[parent[run]]
            run = parent[run]
        return run

    above = 0
    for run, (row, start, stop) in enumerate(zip(rows, starts, stops, strict=True)):
        while rows[above] < row - 1 or (rows[above] == row - 1 and stops[above] < start):
            above += 1
        other = above
        while rows[other] < row and starts[other] <= stop:
            a, b = root(run), root(other)
            parent[max(a, b)] = min(a, b)
            other += 1
    numbers: dict[int, int] = {}
    owners = [numbers.setdefault(root(run), len(numbers)) for run in range(len(rows))]
    return owners, len(numbers)
