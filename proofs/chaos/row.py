"""What a scenario came to, and whether that is what is promised."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from proofs.chaos.load import expected_of, load
from proofs.counts import Counts
from proofs.served import Served, seconds_until, served

# Of all processes together: what a worker that has answered some requests takes beside a new one, MiB, and the share.
MEMORY_MORE = 40
MEMORY_SHARE = 1.15
DESCRIPTORS_MORE = 8

# Seconds for the server to be as before.
CALM = 20


@dataclass
class Row:
    """`lost_allowed`: own connections of workers that were killed. `full`: some are to be told 503. `notes`: what else
    there is to say; `failed`: what is not as promised."""

    name: str
    counts: Counts = field(default_factory=Counts)
    lost_allowed: int = 0
    full: bool = False
    notes: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def check(self, true: object, failure: str) -> None:
        if not true:
            self.failed.append(failure)

    def settle(self) -> None:
        """Of every scenario alike."""
        self.check(self.counts.lost <= self.lost_allowed, f"{self.counts.lost} lost of {self.lost_allowed} that may be")
        self.check(not self.counts.wrong, f"{self.counts.wrong} wrong")
        self.check(self.full or not self.counts.errors, f"{self.counts.errors} with a status of 500 or more")
        self.check(self.counts.answered, "nothing was answered")


@contextlib.contextmanager
def under_load(row: Row, workers: int = 2, **settings: str) -> Iterator[Served]:
    """A server with some load until the end of `with`, after which it has to be as it was before."""
    # A busy machine is no finding: the deadline is longer than what it may do to a photo.
    with served(workers=str(workers), **{"deadline_ms": "20000"} | settings) as server:
        expected = expected_of(server.url)
        with load(server.url, expected) as warming:
            time.sleep(2)
        row.check(warming.answered > 20, "it hardly answers before anything has happened")
        before = state(server)
        with load(server.url, expected) as counts:
            time.sleep(0.3)
            yield server
            time.sleep(0.3)
        row.counts += counts
        calm(row, server, before, workers)
        after = expected_of(server.url)
        row.check(after == expected, "a digit is answered in another way than before")


def state(server: Served) -> tuple[int, int, float]:
    """Processes, file descriptors and MiB."""
    return server.processes(), server.descriptors(), sum(server.memory().values())


def calm(row: Row, server: Served, before: tuple[int, int, float], workers: int) -> None:
    processes, descriptors, memory = before

    def as_before() -> bool:
        now = state(server)
        return server.wants(workers) and now[0] == processes and now[1] <= descriptors + DESCRIPTORS_MORE

    row.check(
        seconds_until(as_before, CALM) is not None,
        f"processes and descriptors: {before[:2]} before, {state(server)[:2]} after",
    )
    now = state(server)[2]
    row.notes.append(f"{memory:.0f} and {now:.0f} MiB")
    row.check(now < MEMORY_SHARE * memory + MEMORY_MORE, f"memory: {memory:.0f} MiB before, {now:.0f} after")
