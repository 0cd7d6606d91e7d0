"""The connected shapes of a mask, as runs of pixels: a digit of 28×28 has about sixty, so plain Python is fast."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Counts = NDArray[np.intp]


@dataclass(frozen=True)
class Box:
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

    def grown(self, by: int) -> "Box":
        return Box(self.top - by, self.bottom + by, self.left - by, self.right + by)


@dataclass(frozen=True)
class Shapes:
    """Runs of a row each, sorted by row and column, and the number from 0 of the shape that each belongs to."""

    size: tuple[int, int]
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

    def mask(self, chosen: list[int]) -> Mask:
        mask = np.zeros(self.size, bool)
        own = np.isin(self.owners, chosen)
        for row, start, stop in zip(
            self.rows[own].tolist(), self.starts[own].tolist(), self.stops[own].tolist(), strict=True
        ):
            mask[row, start:stop] = True
        return mask


def find_shapes(mask: Mask) -> Shapes:
    """8-connected."""
    height, width = mask.shape
    edges = np.zeros((height, width + 2), np.int8)
    edges[:, 1:-1] = mask
    steps = np.diff(edges, axis=1).ravel()
    begins, ends = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
    rows, starts, stops = begins // (width + 1), begins % (width + 1), ends % (width + 1)
    owners = join(rows.tolist(), starts.tolist(), stops.tolist())
    found, compact = np.unique(np.array(owners, np.intp), return_inverse=True)
    return Shapes((height, width), rows, starts, stops, compact.reshape(-1).astype(np.intp), len(found))


def join(rows: list[int], starts: list[int], stops: list[int]) -> list[int]:
    """For each run the least run that it hangs together with: each meets those above that it touches (union-find)."""
    parent = list(range(len(rows)))

    def root(run: int) -> int:
        while parent[run] != run:
            parent[run] = parent[parent[run]]
            run = parent[run]
        return run

    above = 0
    for run, (row, start, stop) in enumerate(zip(rows, starts, stops, strict=True)):
        while above < run and (rows[above] < row - 1 or (rows[above] == row - 1 and stops[above] < start)):
            above += 1
        other = above
        while other < run and rows[other] == row - 1 and starts[other] <= stop:
            a, b = root(run), root(other)
            if a < b:
                parent[b] = a
            else:
                parent[a] = b
            other += 1
    return [root(run) for run in range(len(rows))]
