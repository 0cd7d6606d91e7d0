"""What a request takes of the processors is that of all replicas, and of the proxy beside them."""

import subprocess
import sys
import time

import psutil
import pytest

from benchmarks.replicas import ARRANGEMENTS, Arrangement, processor_seconds, table, with_costs

MEASURED = {"requests_per_second": 1000.0, "p50_ms": 5.0, "p99_ms": 9.0, "failed": 0.0}


def test_the_proxy_is_counted_apart() -> None:
    figures = with_costs(MEASURED, 6, [1.2, 1.8, 0.6], proxied=True)
    assert figures["service_cpu_ms"] == pytest.approx(0.5)
    assert figures["proxy_cpu_ms"] == pytest.approx(0.1)
    alone = with_costs(MEASURED, 6, [3.0], proxied=False)
    assert alone["service_cpu_ms"] == pytest.approx(0.5)
    assert alone["proxy_cpu_ms"] == 0


def test_all_that_a_process_has_started_counts() -> None:
    busy = "import time; began = time.process_time()\nwhile time.process_time() - began < 0.3: pass"
    code = (
        f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', '''{busy}\ntime.sleep(60)''']).wait()"
    )
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        try:
            for _ in range(600):
                if processor_seconds(psutil.Process(process.pid)) >= 0.3:
                    return
                time.sleep(0.05)
            pytest.fail("its child's time is not in it")
        finally:
            for each in [*psutil.Process(process.pid).children(), process]:
                each.kill()


def test_the_table_names_each_arrangement() -> None:
    figures = with_costs(MEASURED, 6, [1.2, 1.8, 0.6], proxied=True)
    assert [str(each) for each in ARRANGEMENTS] == [
        "1 worker",
        "2 workers",
        "1 × 1 worker behind nginx",
        "2 × 1 worker behind nginx",
    ]
    shown = table({str(Arrangement(1, 2)): figures}).splitlines()[-1]
    assert shown == "| 2 × 1 worker behind nginx | 1,000.0 | 5.0 | 9.0 | 0.0 | 0.500 | 0.100 |"
