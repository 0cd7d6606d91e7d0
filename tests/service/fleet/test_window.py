"""Percentiles are of the last images of all workers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.fleet import window
from service.fleet.board import Board
from service.fleet.latency import STAGES, Latency
from service.fleet.window import LENGTH, Window


def latency(total: float) -> Latency:
    return Latency(read=1, decode=2, normalise=3, queue=0.5, inference=4.12345, total=total)


def summary(of: Window) -> dict[str, Any]:
    return of.as_json()


def alone() -> Window:
    return Window(Board(window.COLUMNS + 5), first=5)


def test_percentiles_are_those_of_numpy() -> None:
    latencies = alone()
    totals = np.random.default_rng(0).exponential(10, 500)
    for total in totals:
        latencies.add(latency(total))
    shown = summary(latencies)
    assert shown["images"] == 500
    assert list(shown["latency_ms"]) == list(STAGES)
    for name, rank in (("p50", 50), ("p95", 95), ("p99", 99)):
        assert shown["latency_ms"]["total"][name] == pytest.approx(np.percentile(totals, rank), abs=1e-3)


def test_the_window_slides() -> None:
    latencies = alone()
    for total in [1000.0] * 10 + [1.0] * LENGTH:
        latencies.add(latency(total))
    assert summary(latencies)["images"] == LENGTH
    assert summary(latencies)["latency_ms"]["total"]["p99"] == 1


def test_an_empty_window_has_no_percentiles() -> None:
    assert summary(alone()) == {"images": 0, "window": LENGTH, "latency_ms": {}}


def test_workers_see_each_others_images(tmp_path: Path) -> None:
    ours, theirs = (Window(Board(window.COLUMNS, tmp_path / "board", 2, own), 0) for own in (1, 2))
    for total in range(LENGTH):
        ours.add(latency(total=1))
        if total % 2:
            theirs.add(latency(total=3))
    assert summary(ours) == summary(theirs)
    assert summary(ours)["images"] == LENGTH
    assert summary(ours)["latency_ms"]["total"] == {"p50": 1, "p95": 3, "p99": 3}
