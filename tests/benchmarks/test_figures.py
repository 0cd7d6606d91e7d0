"""The figures of a load are what wrk printed, and medians are taken name by name."""

import json
import shutil
from pathlib import Path

import pytest

from benchmarks import driver, figures
from benchmarks.peers.targets import Load

OUTPUT = """Running 4s test @ http://127.0.0.1:3000/classify
  1 threads and 32 connections
Requests/sec:   4995.21
{"requests_per_second": 4995.2, "p50_ms": 6.100, "p99_ms": 10.900, "max_ms": 31.000, "failed": 3, "refused": 2, \
"late_ms": 0.0}
"""


def test_the_last_line_is_read() -> None:
    assert figures.of_wrk(OUTPUT) == {
        "requests_per_second": 4995.2,
        "p50_ms": 6.1,
        "p99_ms": 10.9,
        "max_ms": 31,
        "failed": 3,
        "refused": 2,
        "late_ms": 0,
    }


def test_output_without_figures_is_an_error() -> None:
    with pytest.raises(json.JSONDecodeError):
        figures.of_wrk("unable to connect to 127.0.0.1:3000 Connection refused\n")


def test_medians_are_of_each_load_and_each_name() -> None:
    each = ((3.0, 9.0), (1.0, 8.0), (2.0, 1.0))
    rounds = [{"raw": {"rate": rate, "p50": p50}, "form": {"rate": rate / 2}} for rate, p50 in each]
    assert figures.medians(rounds) == {"raw": {"rate": 2, "p50": 8}, "form": {"rate": 1}}


def test_a_median_of_two_is_their_mean_and_is_rounded() -> None:
    rounds = [{"raw": {"rate": 1.0}}, {"raw": {"rate": 1.3334}}]
    assert figures.medians(rounds)["raw"]["rate"] == 1.167
    assert figures.medians(rounds, digits=1)["raw"]["rate"] == 1.2


@pytest.mark.skipif(not shutil.which("wrk"), reason="wrk is not installed")
def test_wrk_prints_all_figures_of_a_load(server: str, tmp_path: Path) -> None:
    """A closed loop, and requests at 40 a second; then a path that the service refuses."""
    body = driver.write_bodies(tmp_path)["raw"]
    closed = driver.wrk(f"{server}/classify", Load("raw", 2), 1, body)
    paced = driver.wrk(f"{server}/classify", Load("raw", 8), 2, body, rate=40)
    refused = driver.wrk(f"{server}/nothing", Load("raw", 2), 1, body)
    assert set(closed) == set(figures.of_wrk(OUTPUT))
    assert closed["requests_per_second"] > paced["requests_per_second"] > 10
    assert 0 < closed["p50_ms"] <= closed["p99_ms"] <= closed["max_ms"]
    assert (closed["failed"], paced["failed"]) == (0, 0)
    assert refused["failed"] == refused["refused"] > 0
