"""Digits and photos that are asked for while something happens to the server, and what became of each."""

import asyncio
import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator, Sequence

from proofs.client import Answer, Connection, Lost
from proofs.counts import Counts
from proofs.expected import learn
from proofs.mixture import digit, photo, raw
from tests.harness import address

# Seconds after which a request counts as lost.
PATIENCE = 30
# Clients, and how many of them keep their connection.
CLIENTS, KEPT = 8, 6
# Seconds between an answer and the next request of a client.
PAUSE = 0.01

REQUESTS = (*(raw(digit(label)) for label in range(10)), raw(photo(3, "JPEG")), raw(photo(8, "PNG")))


def expected_of(url: str, requests: Sequence[bytes] = REQUESTS) -> dict[bytes, Answer]:
    return asyncio.run(learn(url, requests))


@contextlib.contextmanager
def load(url: str, expected: dict[bytes, Answer]) -> Iterator[Counts]:
    """Most clients keep their connection, the others make one for each request. At the end of `with` what was begun has
    been answered, or is lost."""
    counts, stopping = Counts(), threading.Event()

    async def run() -> None:
        clients = [client(url, expected, counts, stopping.is_set, number < KEPT) for number in range(CLIENTS)]
        await asyncio.gather(*clients)

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    try:
        yield counts
    finally:
        stopping.set()
        thread.join()


async def client(
    url: str, expected: dict[bytes, Answer], counts: Counts, stopping: Callable[[], bool], keep: bool
) -> None:
    connection = Connection()
    for request in itertools.cycle(expected):
        if stopping():
            break
        with contextlib.suppress(OSError):  # refused: nothing was accepted, so nothing is owed
            if not connection.open:
                connection = await Connection.to(*address(url))
            await ask(connection, request, expected[request], counts)
        if not keep:
            connection.close()
        await asyncio.sleep(PAUSE)
    connection.close()


async def ask(
    connection: Connection, request: bytes, expected: Answer, counts: Counts, patience: float = PATIENCE
) -> None:
    counts.accepted += 1
    try:
        async with asyncio.timeout(patience):
            counts.count(await connection.ask(request), expected)
    except (Lost, TimeoutError):
        counts.lost += 1
        connection.close()
