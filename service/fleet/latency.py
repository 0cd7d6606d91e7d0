"""Where the milliseconds of a request went, and how that was over the last requests and since the start."""

import mmap
import os
import struct
import time
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from prometheus_client.core import HistogramMetricFamily

WINDOW = 2048
"""Images that the percentiles are of."""

PERCENTILES = (50, 95, 99)

SECONDS = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
"""Upper bounds of the histograms' buckets."""

MILLISECONDS = tuple(1000 * bound for bound in SECONDS)


class Latency(NamedTuple):
    """Milliseconds. `total` also holds what lies between the stages."""

    read: float
    decode: float
    normalise: float
    queue: float
    inference: float
    total: float

    def as_json(self) -> dict[str, float]:
        """To the microsecond."""
        # By whole microseconds: `round` to three places goes through a decimal text, and takes three times as long.
        return dict(zip(STAGES, [int(1000 * milliseconds + 0.5) / 1000 for milliseconds in self], strict=True))


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


NUMBER = struct.calcsize("d")
IN_WORK, CONNECTIONS, BEAT, HEADER = range(4)
"""Images in work, open connections, and when the worker was last heard of; then the rows."""

ROW = struct.Struct(f"{1 + len(STAGES)}d")
"""When (seconds, 0: never written), and a `Latency`."""

FIRST_COUNT = HEADER + WINDOW * (1 + len(STAGES))
COUNTS = len(SECONDS) + 2
"""For each model and stage: images by bucket, beyond the last bound, and the sum of milliseconds."""

SILENCE = 2.0
"""Seconds without a beat after which a worker counts as dead."""

Memory = NDArray[np.float64]


class Window:
    """The latencies of the last `WINDOW` images of a worker, and how many took how long since the server's start.

    Memory that the other workers can read, all float64: header, rows, counts. Written by the event loop alone.
    prometheus_client's own way to share histograms does far more for each increment.

    `models`: the same in all workers. `folder`: the one that they share; None: there are no others.
    """

    def __init__(self, models: Sequence[str], folder: Path | None = None, worker: int = 1) -> None:
        self._models = list(models)
        self._folder = folder
        self._path = folder / f"window-{worker}" if folder else None
        self._written = 0
        self._size = (FIRST_COUNT + len(models) * len(STAGES) * COUNTS) * NUMBER
        self._memory = self._open()
        self._numbers = memoryview(self._memory).cast("d")
        self._numbers[IN_WORK] = 0
        self.beat(0)

    def _open(self) -> mmap.mmap:
        """A worker that replaces another goes on with its counts, which must never fall."""
        if self._path is None:
            return mmap.mmap(-1, self._size)
        file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if os.fstat(file).st_size != self._size:
                os.ftruncate(file, 0)
                os.ftruncate(file, self._size)
            return mmap.mmap(file, self._size)
        finally:
            os.close(file)

    def add(self, model: str, latency: Latency) -> None:
        place = HEADER * NUMBER + (self._written % WINDOW) * ROW.size
        ROW.pack_into(self._memory, place, time.monotonic(), *latency)
        self._written += 1
        place = FIRST_COUNT + self._models.index(model) * len(STAGES) * COUNTS
        for milliseconds in latency:
            self._numbers[place + bisect_left(MILLISECONDS, milliseconds)] += 1
            self._numbers[place + COUNTS - 1] += milliseconds
            place += COUNTS

    def set_in_work(self, images: int) -> None:
        self._numbers[IN_WORK] = images

    def beat(self, connections: int) -> None:
        """To be called more often than `SILENCE`."""
        self._numbers[CONNECTIONS] = connections
        self._numbers[BEAT] = time.monotonic()

    def connections(self) -> list[float]:
        """Of each worker that lives."""
        return [float(memory[CONNECTIONS]) for memory in self._alive(self._memories(HEADER))]

    def as_json(self) -> Mapping[str, object]:
        """Of all workers."""
        memories = self._memories()
        alive = self._alive(memories)
        table = newest(np.concatenate([rows_of(memory) for memory in memories]))
        percentiles = np.percentile(table, PERCENTILES, axis=0).round(3) if len(table) else None
        return {
            "workers": len(alive),
            "images_in_work": sum(int(memory[IN_WORK]) for memory in alive),
            "images": len(table),
            "window": WINDOW,
            "latency_ms": {}
            if percentiles is None
            else {
                stage: {f"p{rank}": float(percentiles[i, j]) for i, rank in enumerate(PERCENTILES)}
                for j, stage in enumerate(STAGES)
            },
        }

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """Of all workers, as a collector of prometheus_client is asked."""
        family = HistogramMetricFamily("numeral_stage_seconds", "Where an image's time went", labels=["model", "stage"])
        shape = (len(self._models), len(STAGES), COUNTS)
        counts = np.sum([memory[FIRST_COUNT:].reshape(shape) for memory in self._memories()], axis=0)
        for model, stages in zip(self._models, counts, strict=True):
            for stage, row in zip(STAGES, stages, strict=True):
                bounds = [*map(float, SECONDS), "+Inf"]
                buckets = [(str(bound), float(n)) for bound, n in zip(bounds, row[:-1].cumsum(), strict=True)]
                family.add_metric([model, stage], buckets, sum_value=float(row[-1]) / 1000)
        yield family

    def _memories(self, count: int = -1) -> list[Memory]:
        """A copy of each worker's memory, or of its first `count` numbers; this one's is the first."""
        memories = [np.frombuffer(self._memory[: self._size if count < 0 else count * NUMBER], np.float64)]
        others = sorted(self._folder.glob("window-*")) if self._folder else []
        # One that begins this moment may still be empty.
        whole = [path for path in others if path != self._path and path.stat().st_size == self._size]
        return [*memories, *(np.fromfile(path, np.float64, count) for path in whole)]

    @staticmethod
    def _alive(memories: list[Memory]) -> list[Memory]:
        own, *others = memories
        return [own, *(memory for memory in others if memory[BEAT] > time.monotonic() - SILENCE)]


def rows_of(memory: Memory) -> Memory:
    """float64 [N, 1 + stages], those that were written."""
    rows = memory[HEADER:FIRST_COUNT].reshape(WINDOW, -1)
    return rows[rows[:, 0] > 0]


def newest(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """float64 [N, stages], the last `WINDOW`."""
    return rows[np.argsort(rows[:, 0])[-WINDOW:], 1:]
