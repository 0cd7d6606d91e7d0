"""Latencies are summed up per request and per window as the numbers say."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.fleet.latency import SILENCE, WINDOW, Latency, Window, of_request, server_timing

STAGES = ["read", "decode", "normalise", "queue", "inference", "total"]


def latency(total: float) -> Latency:
    return Latency(read=1, decode=2, normalise=3, queue=0.5, inference=4.12345, total=total)


def test_server_timing_names_every_stage_in_milliseconds() -> None:
    assert server_timing(latency(11).as_json()) == (
        "read;dur=1.0, decode;dur=2.0, normalise;dur=3.0, queue;dur=0.5, inference;dur=4.123, total;dur=11.0"
    )


def test_a_request_of_several_images_sums_what_happens_in_turn() -> None:
    whole = of_request([latency(11).as_json(), latency(12).as_json()])
    assert whole == {"read": 1, "decode": 4, "normalise": 6, "queue": 0.5, "inference": 4.123, "total": 12}


def test_percentiles_are_those_of_numpy() -> None:
    window = Window(["a"])
    totals = np.random.default_rng(0).exponential(10, 500)
    for total in totals:
        window.add("a", latency(total))
    summary: Mapping[str, Any] = window.as_json()
    assert summary["images"] == 500
    assert list(summary["latency_ms"]) == STAGES
    for name, rank in (("p50", 50), ("p95", 95), ("p99", 99)):
        assert summary["latency_ms"]["total"][name] == pytest.approx(np.percentile(totals, rank), abs=1e-3)


def test_the_window_slides() -> None:
    window = Window(["a"])
    for total in [1000.0] * 10 + [1.0] * WINDOW:
        window.add("a", latency(total))
    summary: Mapping[str, Any] = window.as_json()
    assert summary["images"] == WINDOW
    assert summary["latency_ms"]["total"]["p99"] == 1


def test_an_empty_window_has_no_percentiles() -> None:
    assert Window(["a"]).as_json() == {
        "workers": 1,
        "images_in_work": 0,
        "images": 0,
        "window": WINDOW,
        "latency_ms": {},
    }


def test_workers_see_each_others_images(tmp_path: Path) -> None:
    ours, theirs = Window(["a"], tmp_path, 1), Window(["a"], tmp_path, 2)
    for total in range(WINDOW):
        ours.add("a", latency(total=1))
        if total % 2:
            theirs.add("a", latency(total=3))
    theirs.set_in_work(5)
    ours.set_in_work(2)
    assert ours.as_json() == theirs.as_json()
    summary: Mapping[str, Any] = ours.as_json()
    assert (summary["workers"], summary["images_in_work"], summary["images"]) == (2, 7, WINDOW)
    assert summary["latency_ms"]["total"] == {"p50": 1, "p95": 3, "p99": 3}


def test_a_worker_that_replaces_another_goes_on_with_its_counts(tmp_path: Path) -> None:
    first = Window(["a"], tmp_path, 1)
    first.add("a", latency(1))
    first.set_in_work(3)
    second = Window(["a"], tmp_path, 1)
    assert second.as_json()["images_in_work"] == 0
    second.add("a", latency(2))
    (family,) = second.collect()
    counts = [s.value for s in family.samples if s.name.endswith("_count") and s.labels["stage"] == "total"]
    assert counts == [2]


def test_a_worker_that_died_is_not_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = (Window(["a"], tmp_path, worker) for worker in (1, 2))
    theirs.set_in_work(5)
    theirs.beat(connections=7)
    ours.beat(connections=3)
    assert (ours.as_json()["workers"], ours.connections()) == (2, [3, 7])
    now = time.monotonic()
    monkeypatch.setattr("service.fleet.latency.time.monotonic", lambda: now + SILENCE + 1)
    assert (ours.as_json()["workers"], ours.as_json()["images_in_work"], ours.connections()) == (1, 0, [3])


def test_files_of_other_sizes_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "window-2").write_bytes(b"")
    Window(["a", "b"], tmp_path, 3)
    assert Window(["a"], tmp_path, 1).as_json()["workers"] == 1


def test_histograms_count_the_images_of_all_workers(tmp_path: Path) -> None:
    ours, theirs = (Window(["a", "b"], tmp_path, worker) for worker in (1, 2))
    ours.add("a", latency(total=11))
    theirs.add("a", latency(total=9))
    theirs.add("b", latency(total=10_000))
    (family,) = ours.collect()
    samples = {(s.name, *s.labels.values()): s.value for s in family.samples}
    name = "numeral_stage_seconds"
    assert samples[f"{name}_count", "a", "total"] == 2
    assert samples[f"{name}_sum", "a", "total"] == pytest.approx(0.02)
    assert samples[f"{name}_bucket", "a", "total", "0.01"] == 1
    assert samples[f"{name}_bucket", "a", "total", "0.02"] == 2
    assert samples[f"{name}_bucket", "b", "total", "5.0"] == 0
    assert samples[f"{name}_bucket", "b", "total", "+Inf"] == 1
    assert samples[f"{name}_bucket", "a", "read", "0.001"] == 2  # a bound belongs to its bucket
