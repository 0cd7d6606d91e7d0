"""Latencies are summed up per request and per window as the numbers say."""

from pathlib import Path

import numpy as np
import pytest

from service.latency import WINDOW, Latency, Window, of_request, server_timing

STAGES = ["read", "decode", "normalise", "queue", "inference", "total"]


def latency(total: float) -> Latency:
    return Latency(read=1, decode=2, normalise=3, queue=0.5, inference=4.12345, total=total)


def test_server_timing_names_every_stage_in_milliseconds() -> None:
    assert server_timing(latency(11).as_json()) == (
        "read;dur=1, decode;dur=2, normalise;dur=3, queue;dur=0.5, inference;dur=4.123, total;dur=11"
    )


def test_a_request_of_several_images_sums_what_happens_in_turn() -> None:
    whole = of_request([latency(11).as_json(), latency(12).as_json()])
    assert whole == {"read": 1, "decode": 4, "normalise": 6, "queue": 0.5, "inference": 4.123, "total": 12}


def test_percentiles_are_those_of_numpy() -> None:
    window = Window()
    totals = np.random.default_rng(0).exponential(10, 500)
    for total in totals:
        window.add(latency(total))
    summary = window.as_json()
    assert summary["images"] == 500
    assert list(summary["latency_ms"]) == STAGES
    for name, rank in (("p50", 50), ("p95", 95), ("p99", 99)):
        assert summary["latency_ms"]["total"][name] == pytest.approx(np.percentile(totals, rank), abs=1e-3)


def test_the_window_slides() -> None:
    window = Window()
    for total in [1000.0] * 10 + [1.0] * WINDOW:
        window.add(latency(total))
    assert window.as_json()["images"] == WINDOW
    assert window.as_json()["latency_ms"]["total"]["p99"] == 1


def test_an_empty_window_has_no_percentiles() -> None:
    assert Window().as_json() == {
        "workers": 1,
        "images_in_work": 0,
        "images": 0,
        "window": WINDOW,
        "latency_ms": {},
    }


def test_workers_see_each_others_images(tmp_path: Path) -> None:
    ours, theirs = Window(tmp_path, 1), Window(tmp_path, 2)
    for total in range(WINDOW):
        ours.add(latency(total=1))
        if total % 2:
            theirs.add(latency(total=3))
    theirs.set_in_work(5)
    ours.set_in_work(2)
    assert ours.as_json() == theirs.as_json()
    summary = ours.as_json()
    assert (summary["workers"], summary["images_in_work"], summary["images"]) == (2, 7, WINDOW)
    assert summary["latency_ms"]["total"] == {"p50": 1, "p95": 3, "p99": 3}


def test_a_worker_that_replaces_another_begins_anew(tmp_path: Path) -> None:
    Window(tmp_path, 1).add(latency(1))
    assert Window(tmp_path, 1).as_json()["images"] == 0
