"""A real server in processes of its own, and what they take."""

import contextlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from tests.harness import ROOT, running

MEGABYTE = 2**20


@dataclass(frozen=True)
class Served:
    url: str
    supervisor: psutil.Process
    log: Path

    def workers(self) -> list[psutil.Process]:
        return [each for each in self.supervisor.children() if each.is_running()]

    def family(self) -> dict[str, list[psutil.Process]]:
        """The processes by what they are; a worker's number is its place among those that run."""
        family = {"supervisor": [self.supervisor]}
        for number, worker in enumerate(self.workers(), start=1):
            family[f"worker {number}"] = [worker]
            family[f"preparers of worker {number}"] = worker.children()
        return family

    def processes(self) -> int:
        return sum(map(len, self.family().values()))

    def memory(self) -> dict[str, float]:
        """MiB, without a process that ends meanwhile."""
        return {
            name: sum(asked(process, lambda each: each.memory_info().rss) for process in processes) / MEGABYTE
            for name, processes in self.family().items()
        }

    def descriptors(self) -> int:
        return sum(asked(each, psutil.Process.num_fds) for processes in self.family().values() for each in processes)

    def wants(self, count: int) -> bool:
        """Whether so many workers are there, and have been heard of."""
        try:
            heard = httpx.get(f"{self.url}/stats", timeout=5).json()["workers"]
        except (httpx.HTTPError, KeyError):
            return False
        return bool(heard == count == len(self.workers()))


def asked(process: psutil.Process, what: Callable[[psutil.Process], int]) -> int:
    """0 where it has just ended."""
    with contextlib.suppress(psutil.Error):
        return what(process)
    return 0


@contextlib.contextmanager
def served(**settings: str) -> Iterator[Served]:
    """`settings` are NUMERAL_ variables without their prefix."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        with running(log, ".", ROOT, **settings) as (url, supervisor):
            yield Served(url, supervisor, log)


def seconds_until(true: Callable[[], bool], limit: float) -> float | None:
    """None where it did not come to pass in `limit` seconds."""
    begin = time.monotonic()
    while time.monotonic() < begin + limit:
        if true():
            return time.monotonic() - begin
        time.sleep(0.05)
    return None


def medians(readings: list[dict[str, float]]) -> dict[str, float]:
    """Of each process that was there in all of them or some."""
    names = dict.fromkeys(name for reading in readings for name in reading)
    return {name: statistics.median(r[name] for r in readings if name in r) for name in names}
