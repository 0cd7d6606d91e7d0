"""What the service does when requests come at a rate of their own: `python -m benchmarks.open_loop`.

A closed loop waits for each answer before it asks again, so it cannot overload a server and hides its pauses. Here
wrk sends at random times (a Poisson process) at 50, 80 and 120 % of what the service manages; whichever connection is
free takes the next request. Where none was, requests left late, by `late_ms` at worst.

What the service manages in a closed loop is measured right before and right after each load, as machines are noisy.
"""

import json
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import tyro

from benchmarks.peers.targets import RAW, TARGETS, Load
from benchmarks.serving import WRK_MISSING, environment, hardware, running, write_bodies, wrk

MEGABYTE = 2**20


@dataclass(frozen=True)
class Arguments:
    shares: tuple[float, ...] = (0.5, 0.8, 1.2)
    """of the requests a second that wrk gets with 32 connections"""
    seconds: int = 60
    connections: int = 640
    """a quarter more than two workers take in at once; wrk takes longer for each request, the more of them are idle"""
    precision: str = "int8"
    model: str = "googlenet"
    out: Path = Path("benchmarks/results")


@contextmanager
def memory_of(process: psutil.Process) -> Iterator[list[float]]:
    """MiB of the process and all that it started, once a second; what is shared is counted once for each."""
    readings: list[float] = []
    done = threading.Event()

    def read() -> None:
        while not done.wait(1):
            family = [process, *process.children(recursive=True)]
            readings.append(sum(each.memory_info().rss for each in family) / MEGABYTE)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield readings
    finally:
        done.set()
        thread.join()


def loaded(url: str, rate: float, arguments: Arguments, body: list[str], process: psutil.Process) -> dict[str, float]:
    load = Load("raw", arguments.connections)
    with memory_of(process) as memory:
        measured = wrk(url, load, arguments.seconds, body, rate)
    third = max(1, len(memory) // 3)
    return {
        "offered_per_second": round(rate, 1),
        "sent_per_second": measured["requests_per_second"],
        "answered_per_second": round(measured["requests_per_second"] - measured["refused"] / arguments.seconds, 1),
        "unanswered": measured["failed"] - measured["refused"],
        **{name: measured[name] for name in ("refused", "p50_ms", "p99_ms", "max_ms", "late_ms")},
        "memory_second_third_mb": round(statistics.median(memory[third : 2 * third]), 1),
        "memory_last_third_mb": round(statistics.median(memory[2 * third :]), 1),
    }


def server(url: str) -> psutil.Process:
    """The supervisor of the workers that listen there."""
    port = int(url.rsplit(":", 1)[1])
    for process in psutil.Process().children(recursive=True):
        if any(item.laddr.port == port for item in process.net_connections() if item.status == "LISTEN"):
            return process.parent() if process.parent() != psutil.Process() else process
    raise RuntimeError(f"no process of ours listens at {url}")


def main() -> None:
    arguments = tyro.cli(Arguments, prog="python -m benchmarks.open_loop", description=__doc__)
    if not shutil.which("wrk"):
        sys.exit(WRK_MISSING)
    target = next(target for target in TARGETS if target.name == "numeral")
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        body = write_bodies(Path(folder))["raw"]
        with running(target, environment(arguments.precision, arguments.model)) as url:
            wrk(url + target.path, RAW, 3, body)
            before = wrk(url + target.path, RAW, 10, body)["requests_per_second"]
            for share in arguments.shares:
                figures = loaded(url + target.path, share * before, arguments, body, server(url))
                after = wrk(url + target.path, RAW, 10, body)["requests_per_second"]
                figures |= {"capacity_before": before, "capacity_after": after}
                figures["goodput_of_capacity"] = round(2 * figures["answered_per_second"] / (before + after), 3)
                results[f"{share:.0%}"] = figures
                print(f"{share:.0%}", figures)
                before = after
    line = {
        "benchmark": f"open-loop-{arguments.model}-{arguments.precision}",
        "date": time.strftime("%Y-%m-%d"),
        "hardware": hardware(),
        "seconds": arguments.seconds,
        "connections": arguments.connections,
        "results": results,
    }
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / f"{line['benchmark']}.json").write_text(json.dumps(line) + "\n")
    print(json.dumps(line))


if __name__ == "__main__":
    main()
