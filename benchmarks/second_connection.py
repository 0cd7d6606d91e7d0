"""How a second connection fares while a hostile request is worked on: `python -m benchmarks.second_connection`.

For each family: the median and the worst time of a health check and of a small digit, over a connection of their own
each, alone and while others send the hostile request again and again; the memory of the server's processes before and
after; and the bytes that its log has grown by. There is one worker, as another would take the second connection.
`--server` names the folder of another checkout, for a comparison.
"""

import contextlib
import json
import platform
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import tyro

from tests.harness import ROOT, address, png, post_head, running, sample_digits
from tests.hostile import HOSTILE
from tests.hostile_requests import REQUESTS, post

MEGABYTE = 2**20

# Requests of each victim, however long they take: the median of one or two would be where the machine stood still.
FEWEST = 5


@dataclass(frozen=True)
class Arguments:
    only: tuple[str, ...] = ()
    """the beginnings of names; all if none is given"""
    seconds: float = 3
    """for each family"""
    senders: int = 2
    server: Path = ROOT
    """the folder of the checkout that is served"""
    out: Path | None = None
    """a file of lines of JSON, to which those of this run are added"""


def asked(url: str, request: bytes, seconds: float = 60) -> float:
    """Milliseconds until the first byte of the answer, over a connection of its own."""
    begin = time.perf_counter()
    with socket.create_connection(address(url), timeout=seconds) as connection:
        connection.sendall(request)
        connection.recv(1)
    return 1000 * (time.perf_counter() - begin)


def victims() -> dict[str, bytes]:
    digit = png(sample_digits().pick(7))
    return {"livez": b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", "digit": post_head(len(digit)) + digit}


def times(url: str, seconds: float) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {name: [] for name in victims()}
    end = time.monotonic() + seconds
    while time.monotonic() < end or len(taken["livez"]) < FEWEST:
        for name, request in victims().items():
            taken[name].append(asked(url, request))
    return taken


@contextlib.contextmanager
def sending(url: str, request: bytes, senders: int) -> Iterator[list[float]]:
    """Seconds that each sending took until its answer, or until it was cut off."""
    done = threading.Event()
    taken: list[float] = []

    def send() -> None:
        while not done.is_set():
            begin = time.monotonic()
            with contextlib.suppress(OSError), socket.create_connection(address(url), timeout=60) as connection:
                with contextlib.suppress(ConnectionError):
                    connection.sendall(request)
                connection.recv(1)
            taken.append(time.monotonic() - begin)
            time.sleep(0.005)

    threads = [threading.Thread(target=send) for _ in range(senders)]
    for thread in threads:
        thread.start()
    try:
        yield taken
    finally:
        done.set()
        for thread in threads:
            thread.join()


def memory(supervisor: psutil.Process) -> float:
    """MiB of all processes; what is shared is counted once for each."""
    held: int = sum(each.memory_info().rss for each in supervisor.children(recursive=True))
    return held / MEGABYTE


def figures(
    name: str, request: bytes, url: str, supervisor: psutil.Process, log: Path, arguments: Arguments
) -> dict[str, object]:
    alone = times(url, arguments.seconds / 2)
    held, logged = memory(supervisor), log.stat().st_size
    with sending(url, request, arguments.senders) as taken:
        time.sleep(0.1)
        beside = times(url, arguments.seconds)
    time.sleep(0.5)
    row: dict[str, object] = {"family": name, "bytes": len(request), "sent": len(taken)}
    for victim in alone:
        row |= {
            f"{victim}_alone_ms": round(statistics.median(alone[victim]), 2),
            f"{victim}_beside_ms": round(statistics.median(beside[victim]), 2),
            f"{victim}_worst_ms": round(max(beside[victim]), 1),
        }
    return row | {
        "longest_s": round(max(taken), 2),
        "memory_mb": round(memory(supervisor) - held, 1),
        "log_bytes": log.stat().st_size - logged,
    }


def families(only: tuple[str, ...]) -> dict[str, Callable[[], bytes]]:
    files = {name: (lambda make=make: post(make())) for name, make in HOSTILE.items()}
    return {name: make for name, make in {**REQUESTS, **files}.items() if not only or name.startswith(only)}


def main() -> None:
    arguments = tyro.cli(Arguments, prog="python -m benchmarks.second_connection", description=__doc__)
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        with running(log, cwd=arguments.server, workers="1") as (url, supervisor):
            for name, make in families(arguments.only).items():
                row = figures(name, make(), url, supervisor, log, arguments)
                print(json.dumps(row), flush=True)
                if arguments.out:
                    with arguments.out.open("a") as lines:
                        lines.write(json.dumps(row | {"python": platform.python_version()}) + "\n")


if __name__ == "__main__":
    main()
