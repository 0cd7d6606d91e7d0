"""Whether the service holds under load for as long as one likes: `make soak MINUTES=30`.

A real server gets requests at random times (a Poisson process), at 80 % of what it manages as fast as it can with the
same mixture. That is measured anew for each part, of five minutes or less, as a machine that others use is not always
as fast. One in a hundred is hostile. Every answer is compared with the one that the same request gets alone. It holds
where none is wrong, lost or a fault of the server, the memory of each process is at the end within 5 % of what it was
early on, and the 99th percentile of the last part within 20 % of that of the first. The last line has the counts; the
exit code is 1 where it did not hold.
"""

import asyncio
import json
import math
import random
import sys
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import tyro
import uvloop

from proofs.client import Answer, Connection, Lost
from proofs.counts import Counts
from proofs.expected import BUSY, CUT, constant, learn
from proofs.mixture import Mixture, hostile, mixture
from proofs.served import Served, medians, served
from tests.harness import address

# Of requests, as far as one connection may ask before it is free again.
CONNECTIONS = 32
# Connections that are opened at most: what comes beyond waits for one, and its wait counts.
MOST_CONNECTIONS = 400
# Seconds after which a request counts as lost.
PATIENCE = 30

# Requests come for so long at most at the rate of one measurement: there are three or more.
PART_SECONDS = 300

# Seconds in which memory is read, once each: the median counts.
READINGS = 30


@dataclass(frozen=True)
class Arguments:
    minutes: float = 30
    share: float = 0.8
    """of what the server can do"""
    hostile: float = 0.01
    """of requests, at random"""
    warm_up_seconds: float = 20
    measure_seconds: float = 60
    seed: int = 1
    memory_tolerance: float = 0.05
    latency_tolerance: float = 0.2

    @property
    def parts(self) -> int:
        return max(3, math.ceil(60 * self.minutes / PART_SECONDS))

    @property
    def part_seconds(self) -> float:
        return 60 * self.minutes / self.parts

    @property
    def seconds(self) -> float:
        """With what is measured before each part."""
        return self.parts * (self.measure_seconds + self.part_seconds)

    @property
    def early(self) -> float:
        """Seconds until memory is read first."""
        return min(180.0, self.seconds / 2)


@dataclass
class Tally:
    """Of harmless requests `counts`; of hostile ones how many there were by what became of them."""

    counts: Counts = field(default_factory=Counts)
    hostile: Counter[str] = field(default_factory=Counter)
    # Seconds from when each harmless request was due until its answer.
    took: "array[float]" = field(default_factory=lambda: array("d"))

    def p99_ms(self) -> float:
        return round(1000 * float(np.percentile(self.took, 99)), 2) if self.took else math.inf


@dataclass
class Part:
    """`capacity`: requests a second as fast as it can, which `measured` has what became of."""

    capacity: float
    measured: Tally
    loaded: Tally


class Soak:
    """Asks one server, from one event loop. `expected`: of all requests that there are."""

    def __init__(
        self,
        url: str,
        requests: Mixture,
        harm: Mapping[str, bytes],
        expected: dict[bytes, Answer],
        share: float,
        seed: int,
    ) -> None:
        self.where = address(url)
        self.requests = requests
        self.harm = harm
        self.expected = expected
        self.share = share
        self.chance = random.Random(seed)
        self.tally = Tally()
        self.idle: list[tuple[float, Connection]] = []
        self.permits = asyncio.Semaphore(MOST_CONNECTIONS)
        self.now = asyncio.get_running_loop().time

    async def as_fast_as_it_can(self, seconds: float) -> float:
        """Requests a second that are answered over some connections, each of which waits for its answer."""
        self.tally, self.begin = Tally(), self.now()

        async def keep_asking() -> None:
            while self.now() < self.begin + seconds:
                await self.one(self.now())

        await asyncio.gather(*(keep_asking() for _ in range(CONNECTIONS)))
        await self.let_go()
        answered = self.tally.counts.answered - self.tally.counts.busy + self.tally.hostile.total()
        return answered / (self.now() - self.begin)

    async def at(self, rate: float, seconds: float) -> None:
        """So many requests a second, whatever becomes of the ones before."""
        self.tally, self.begin = Tally(), self.now()
        due, running = self.begin, set[asyncio.Task[None]]()
        while due < self.begin + seconds:
            due += self.chance.expovariate(max(rate, 1))
            if (wait := due - self.now()) > 0.001:
                await asyncio.sleep(wait)
            task = asyncio.create_task(self.one(due))
            running.add(task)
            task.add_done_callback(running.discard)
        await asyncio.gather(*running)
        await self.let_go()

    async def one(self, due: float) -> None:
        async with self.permits:
            try:
                if self.chance.random() < self.share:
                    await self.harmful(self.chance.choice(list(self.harm)))
                else:
                    await self.harmless(self.requests.choose(self.chance), due)
            except OSError:  # no connection
                self.tally.counts.lost += 1

    async def harmless(self, request: bytes, due: float) -> None:
        connection = await self.free()
        counts = self.tally.counts
        counts.accepted += 1
        try:
            async with asyncio.timeout(PATIENCE):
                answer = await connection.ask(request)
        except (Lost, TimeoutError):
            counts.lost += 1
            connection.close()
            return
        counts.count(answer, self.expected[request])
        if answer.status >= 500:
            print(f"after {self.now() - self.begin:.0f} s: {shown(answer)}", flush=True)
        self.tally.took.append(self.now() - due)
        if connection.open:
            self.idle.append((self.now(), connection))

    async def free(self) -> Connection:
        """One that was used a moment ago, as the server closes those that are not; else a new one."""
        while self.idle:
            since, connection = self.idle.pop()
            if connection.open and self.now() < since + 2:
                return connection
            connection.close()
        return await Connection.to(*self.where)

    async def let_go(self) -> None:
        """Of all connections, in the next turn of the loop."""
        while self.idle:
            self.idle.pop()[1].close()
        await asyncio.sleep(0.1)

    async def harmful(self, name: str) -> None:
        """Over a connection of its own, as it may be cut off."""
        request = self.harm[name]
        connection = await Connection.to(*self.where)
        try:
            async with asyncio.timeout(PATIENCE):
                answer = constant(await connection.ask(request))
        except Lost:
            answer = CUT
        except TimeoutError:
            self.tally.hostile["no answer"] += 1
            return
        finally:
            connection.close()
        outcome = fate(answer, self.expected[request])
        if outcome in ("wrong", "5xx"):
            print(f"{name}: {shown(answer)} in place of {shown(self.expected[request])}", flush=True)
        self.tally.hostile[outcome] += 1


def shown(answer: Answer) -> str:
    return f"{answer.status} {answer.body[:300]!r}"


def fate(answer: Answer, expected: Answer) -> str:
    """Of a hostile request. Whether the client sees why it was cut off is up to the network where it is."""
    if answer.status >= 500:
        return "5xx"
    if answer.status == BUSY:
        return "429"
    if answer == expected:
        return "as alone"
    return "cut off" if answer == CUT or expected == CUT else "wrong"


async def read_memory(server: Served, after: float) -> dict[str, float]:
    await asyncio.sleep(after)
    readings = []
    for _ in range(READINGS):
        readings.append(server.memory())
        await asyncio.sleep(1)
    return medians(readings)


async def load(server: Served, arguments: Arguments) -> dict[str, object]:
    requests, harm = mixture(), hostile()
    expected = await learn(server.url, [*requests.all(), *harm.values()])
    soak = Soak(server.url, requests, harm, expected, arguments.hostile, arguments.seed)
    await soak.as_fast_as_it_can(arguments.warm_up_seconds)
    early = asyncio.create_task(read_memory(server, arguments.early - READINGS))
    late = asyncio.create_task(read_memory(server, arguments.seconds - READINGS - 1))
    parts = [await part(soak, arguments) for _ in range(arguments.parts)]
    return figures(parts, await early, await late, arguments)


async def part(soak: Soak, arguments: Arguments) -> Part:
    capacity = await soak.as_fast_as_it_can(arguments.measure_seconds)
    measured = soak.tally
    await soak.at(arguments.share * capacity, arguments.part_seconds)
    print(f"{capacity:.0f} requests a second as fast as it can; p99 {soak.tally.p99_ms()} ms", flush=True)
    return Part(capacity, measured, soak.tally)


def figures(
    parts: Sequence[Part], early: Mapping[str, float], late: Mapping[str, float], arguments: Arguments
) -> dict[str, object]:
    tallies = [tally for part in parts for tally in (part.measured, part.loaded)]
    counts = sum((tally.counts for tally in tallies), Counts())
    harm = sum((tally.hostile for tally in tallies), Counter[str]())
    p99 = [part.loaded.p99_ms() for part in parts]
    memory = {name: (round(early.get(name, 0), 1), round(held, 1)) for name, held in late.items()}
    return {
        "minutes": arguments.minutes,
        "answers": counts.answered + harm.total(),
        **counts.row(),
        "hostile": dict(harm),
        "capacity_per_second": [round(part.capacity) for part in parts],
        "p99_ms": p99,
        "memory_mb": memory,
        "failed": failures(counts, harm, memory, (p99[0], p99[-1]), arguments),
    }


def failures(
    counts: Counts,
    harm: Counter[str],
    memory: Mapping[str, tuple[float, float]],
    p99: tuple[float, float],
    arguments: Arguments,
) -> list[str]:
    """p99: milliseconds, first and last."""
    bad = {name: count for name, count in counts.row().items() if name in ("lost", "wrong", "errors") and count}
    found = [f"{count} {name}" for name, count in bad.items()]
    found += [f"hostile: {harm[name]} {name}" for name in ("wrong", "5xx", "no answer") if harm[name]]
    found += [
        f"memory of {name}: {before} and {after} MiB"
        for name, (before, after) in memory.items()
        if abs(after - before) > arguments.memory_tolerance * before
    ]
    first, last = p99
    if last > (1 + arguments.latency_tolerance) * first:
        found.append(f"p99 of {first} and {last} ms")
    return found


def main() -> None:
    arguments = tyro.cli(Arguments, prog="python -m proofs.soak", description=__doc__)
    with served() as server:
        result = uvloop.run(load(server, arguments))
        if "Traceback" in server.log.read_text():
            Path("runs").mkdir(exist_ok=True)
            Path("runs/soak.log").write_text(server.log.read_text())
    print(json.dumps(result))
    sys.exit(bool(result["failed"]))


if __name__ == "__main__":
    main()
