"""Where the milliseconds of a request went, and how that was over the last requests."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

WINDOW = 2048
"""Images that the percentiles are of."""

PERCENTILES = (50, 95, 99)


@dataclass(frozen=True)
class Latency:
    """Milliseconds. `total` also holds what lies between the stages."""

    read: float
    decode: float
    normalise: float
    queue: float
    inference: float
    total: float

    def as_json(self) -> dict[str, float]:
        return {stage: round(milliseconds, 3) for stage, milliseconds in asdict(self).items()}


def of_request(latencies: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Of several images in one request: decoding and normalising happen in turn, the rest side by side."""
    in_turn = ("decode", "normalise")
    return {
        stage: round((sum if stage in in_turn else max)(latency[stage] for latency in latencies), 3)
        for stage in latencies[0]
    }


def server_timing(latency: Mapping[str, float]) -> str:
    """The value of a Server-Timing header (W3C), durations in milliseconds."""
    return ", ".join(f"{stage};dur={milliseconds}" for stage, milliseconds in latency.items())


class Window:
    """The latencies of the last `WINDOW` images."""

    def __init__(self) -> None:
        self._latencies: deque[Latency] = deque(maxlen=WINDOW)

    def add(self, latency: Latency) -> None:
        self._latencies.append(latency)

    def as_json(self) -> Mapping[str, object]:
        stages = list(Latency.__dataclass_fields__)
        table = np.array([[getattr(latency, stage) for stage in stages] for latency in self._latencies])
        if not len(table):
            return {"images": 0, "window": WINDOW, "latency_ms": {}}
        percentiles = np.percentile(table, PERCENTILES, axis=0).round(3)
        return {
            "images": len(table),
            "window": WINDOW,
            "latency_ms": {
                stage: {f"p{rank}": float(percentiles[i, j]) for i, rank in enumerate(PERCENTILES)}
                for j, stage in enumerate(stages)
            },
        }
