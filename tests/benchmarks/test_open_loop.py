"""What is answered in an open loop is what was sent less what was refused, and is held to a closed loop's capacity."""

import subprocess
import sys
import time

import psutil
import pytest

from benchmarks.open_loop import figures_of, memory_of, with_capacity

MEASURED = {
    "requests_per_second": 6252.0,
    "failed": 84_400.0,
    "refused": 84_360.0,
    "p50_ms": 60.0,
    "p99_ms": 205.0,
    "max_ms": 500.0,
    "late_ms": 3.0,
}


def test_refused_are_answered_but_not_served() -> None:
    figures = figures_of(MEASURED, 6252.04, 60, [500.0] * 60)
    assert figures["offered_per_second"] == 6252.0
    assert figures["sent_per_second"] == 6252
    assert figures["answered_per_second"] == 6252 - 84_360 / 60 == 4846
    assert figures["unanswered"] == 40
    assert (figures["p99_ms"], figures["late_ms"]) == (205, 3)


def test_memory_is_compared_by_thirds() -> None:
    """The first, in which it fills, is left out."""
    figures = figures_of(MEASURED, 1, 9, [1.0, 2.0, 3.0, 580.0, 582.0, 600.0, 585.0, 586.0, 590.0])
    assert (figures["memory_second_third_mb"], figures["memory_last_third_mb"]) == (582, 586)


def test_goodput_is_held_to_what_a_closed_loop_gets_before_and_after() -> None:
    figures = with_capacity({"answered_per_second": 4846.0}, 5210, 5149)
    assert figures == {
        "answered_per_second": 4846,
        "capacity_before": 5210,
        "capacity_after": 5149,
        "goodput_of_capacity": pytest.approx(4846 / 5179.5, abs=5e-4),
    }


def test_memory_is_read_each_second() -> None:
    """Of a process and of the one that it has started, which hold 30 MiB each."""
    held = "held = bytes(b'x' * 30 * 2**20)"
    code = f"import subprocess, sys, time; {held}; subprocess.run([sys.executable, '-c', '{{}}']); time.sleep(60)"
    child = f"import time; {held}; print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code.replace("'{}'", repr(child))], stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        try:
            family = psutil.Process(process.pid)
            with memory_of(family) as readings:
                time.sleep(1.5)
        finally:
            for each in (*family.children(), family):
                each.kill()
    assert len(readings) == 1
    assert 60 < readings[0] < 120
