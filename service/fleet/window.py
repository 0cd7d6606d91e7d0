"""The latencies of the last images, of which `/stats` gives percentiles."""

import struct
import time
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from service.fleet.board import NUMBER, Board
from service.fleet.latency import STAGES, Latency

# Images that are kept of each worker, and that the percentiles are of in all.
LENGTH = 2048

PERCENTILES = (50, 95, 99)

# When an image was answered (seconds of the monotonic clock, 0: never written), and its `Latency`.
ROW = struct.Struct(f"{1 + len(STAGES)}d")

COLUMNS = LENGTH * ROW.size // NUMBER


class Window:
    """In the columns of `board` from `first` on, `COLUMNS` in number."""

    def __init__(self, board: Board, first: int) -> None:
        self._board = board
        self._first = first
        self._bytes = board.own[first : first + COLUMNS].cast("B")
        self._written = 0

    def add(self, latency: Latency) -> None:
        ROW.pack_into(self._bytes, self._written % LENGTH * ROW.size, time.monotonic(), *latency)
        self._written += 1

    def as_json(self) -> dict[str, object]:
        """Of all workers: how many images these are, and their percentiles by stage."""
        table = self._newest()
        return {"images": len(table), "window": LENGTH, "latency_ms": percentiles(table) if len(table) else {}}

    def _newest(self) -> NDArray[np.float64]:
        """float64 [N, stages], N up to `LENGTH`."""
        rows = self._board.columns(self._first, COLUMNS).reshape(-1, 1 + len(STAGES))
        written = rows[rows[:, 0] > 0]
        return written[np.argsort(written[:, 0])[-LENGTH:], 1:]


def percentiles(table: NDArray[np.float64]) -> Mapping[str, Mapping[str, float]]:
    values = np.percentile(table, PERCENTILES, axis=0).round(3)
    return {
        stage: {f"p{rank}": float(value) for rank, value in zip(PERCENTILES, values[:, column], strict=True)}
        for column, stage in enumerate(STAGES)
    }
