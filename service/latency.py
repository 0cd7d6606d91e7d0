"""Where the milliseconds of a request went, and how that was over the last requests."""

import mmap
import struct
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

WINDOW = 2048
"""Images that the percentiles are of."""

PERCENTILES = (50, 95, 99)


class Latency(NamedTuple):
    """Milliseconds. `total` also holds what lies between the stages."""

    read: float
    decode: float
    normalise: float
    queue: float
    inference: float
    total: float

    def as_json(self) -> dict[str, float]:
        return {stage: round(milliseconds, 3) for stage, milliseconds in zip(STAGES, self, strict=True)}


STAGES = Latency._fields


def of_request(latencies: Sequence[Mapping[str, float]]) -> Mapping[str, float]:
    """Of several images in one request: decoding and normalising happen in turn, the rest side by side."""
    if len(latencies) == 1:
        return latencies[0]
    in_turn = ("decode", "normalise")
    return {
        stage: round((sum if stage in in_turn else max)(latency[stage] for latency in latencies), 3) for stage in STAGES
    }


def server_timing(latency: Mapping[str, float]) -> str:
    """The value of a Server-Timing header (W3C), durations in milliseconds."""
    return ", ".join([f"{stage};dur={milliseconds}" for stage, milliseconds in latency.items()])


IN_WORK = struct.Struct("d")
ROW = struct.Struct(f"{1 + len(STAGES)}d")
"""When (seconds, 0: never written), and a `Latency`."""


class Window:
    """The latencies of the last `WINDOW` images of a worker, where the other workers can read them.

    `folder`: the one that the workers share; None: there are no others.
    """

    def __init__(self, folder: Path | None = None, worker: int = 1) -> None:
        self._folder = folder
        self._written = 0
        size = IN_WORK.size + WINDOW * ROW.size
        if folder is None:
            self._memory = mmap.mmap(-1, size)
            return
        with Path(folder, f"window-{worker}").open("w+b") as file:
            file.truncate(size)
            self._memory = mmap.mmap(file.fileno(), size)

    def add(self, latency: Latency) -> None:
        place = IN_WORK.size + (self._written % WINDOW) * ROW.size
        ROW.pack_into(self._memory, place, time.monotonic(), *latency)
        self._written += 1

    def set_in_work(self, images: int) -> None:
        IN_WORK.pack_into(self._memory, 0, images)

    def as_json(self) -> Mapping[str, object]:
        """Of all workers."""
        memories = [path.read_bytes() for path in self._folder.glob("window-*")] if self._folder else [self._memory[:]]
        table = newest(np.concatenate([rows_of(memory) for memory in memories]))
        in_work = sum(int(IN_WORK.unpack_from(memory)[0]) for memory in memories)
        percentiles = np.percentile(table, PERCENTILES, axis=0).round(3) if len(table) else None
        return {
            "workers": len(memories),
            "images_in_work": in_work,
            "images": len(table),
            "window": WINDOW,
            "latency_ms": {}
            if percentiles is None
            else {
                stage: {f"p{rank}": float(percentiles[i, j]) for i, rank in enumerate(PERCENTILES)}
                for j, stage in enumerate(STAGES)
            },
        }


def rows_of(memory: bytes) -> NDArray[np.float64]:
    """float64 [N, 1 + stages], those that were written."""
    rows = np.frombuffer(memory, np.float64, offset=IN_WORK.size).reshape(WINDOW, -1)
    return rows[rows[:, 0] > 0]


def newest(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """float64 [N, stages], the last `WINDOW`."""
    return rows[np.argsort(rows[:, 0])[-WINDOW:], 1:]
