"""What the service does when requests come at a rate of their own: `python -m benchmarks.open_loop`.

A closed loop waits for each answer before it asks again, so it cannot overload a server and hides its pauses. Here
wrk sends at random times (a Poisson process) at 50, 80 and 120 % of what the service manages; whichever connection is
free takes the next request. Where none was, requests left late, by `late_ms` at worst.

What the service manages in a closed loop is measured right before and right after each load, as machines are noisy.
"""

import json
import statistics
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks import command_line, driver, report
from benchmarks.figures import Figures
from benchmarks.peers.targets import OURS, RAW, Load

MEGABYTE = 2**20


@dataclass(frozen=True)
class Arguments:
    shares: tuple[float, ...] = (0.5, 0.8, 1.2)
    """of the requests a second that wrk gets with 32 connections"""
    seconds: int = 60
    connections: int = 640
    """a quarter more than two workers take in at once; wrk takes longer for each request, the more of them are idle"""
    precision: driver.Precision = "int8"
    model: str = "googlenet"
    out: Path = Path("benchmarks/results")

    def __post_init__(self) -> None:
        command_line.above_zero(shares=self.shares, connections=self.connections)
        # Memory is read once a second, and its second third is compared with its last.
        if self.seconds < 3:
            raise ValueError(f"seconds is {self.seconds}; it must be 3 or more")


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


def loaded(url: str, rate: float, arguments: Arguments, body: list[str], process: psutil.Process) -> Figures:
    load = Load("raw", arguments.connections)
    with memory_of(process) as memory:
        measured = driver.wrk(url, load, arguments.seconds, body, rate)
    return figures_of(measured, rate, arguments.seconds, memory)


def figures_of(measured: Figures, rate: float, seconds: int, memory: list[float]) -> Figures:
    """`measured` by wrk in so many seconds; memory in MiB, in the order in which it was read."""
    third = max(1, len(memory) // 3)
    return {
        "offered_per_second": round(rate, 1),
        "sent_per_second": measured["requests_per_second"],
        "answered_per_second": round(measured["requests_per_second"] - measured["refused"] / seconds, 1),
        "unanswered": measured["failed"] - measured["refused"],
        **{name: measured[name] for name in ("refused", "p50_ms", "p99_ms", "max_ms", "late_ms")},
        "memory_second_third_mb": round(statistics.median(memory[third : 2 * third]), 1),
        "memory_last_third_mb": round(statistics.median(memory[2 * third :]), 1),
    }


def with_capacity(figures: Figures, before: float, after: float) -> Figures:
    """And what was answered, as a share of what a closed loop gets right before and right after."""
    goodput = round(2 * figures["answered_per_second"] / (before + after), 3)
    return figures | {"capacity_before": before, "capacity_after": after, "goodput_of_capacity": goodput}


def server(url: str) -> psutil.Process:
    """The supervisor of the workers that listen there."""
    port = int(url.rsplit(":", 1)[1])
    for process in psutil.Process().children(recursive=True):
        if any(item.laddr.port == port for item in process.net_connections() if item.status == "LISTEN"):
            return process.parent() if process.parent() != psutil.Process() else process
    raise RuntimeError(f"no process of ours listens at {url}")


def main() -> None:
    arguments = command_line.parse(Arguments, "open_loop", __doc__)
    driver.need_wrk()
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        body = driver.write_bodies(Path(folder))["raw"]
        with driver.running(OURS, driver.environment(arguments.precision, arguments.model)) as base:
            url = base + OURS.path
            driver.wrk(url, RAW, 3, body)
            before = driver.wrk(url, RAW, 10, body)["requests_per_second"]
            for share in arguments.shares:
                figures = loaded(url, share * before, arguments, body, server(base))
                after = driver.wrk(url, RAW, 10, body)["requests_per_second"]
                results[f"{share:.0%}"] = with_capacity(figures, before, after)
                print(f"{share:.0%}", results[f"{share:.0%}"])
                before = after
    name = f"open-loop-{arguments.model}-{arguments.precision}"
    line = report.line_of(name, results, seconds=arguments.seconds, connections=arguments.connections)
    report.save(line, arguments.out)
    print(json.dumps(line))


if __name__ == "__main__":
    main()
