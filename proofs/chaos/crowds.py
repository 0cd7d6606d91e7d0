"""Clients that ask too much, or do not finish what they begin."""

import asyncio
import contextlib
import resource
import socket
import struct
import time
from collections import Counter
from collections.abc import Iterator

from proofs.chaos.load import ask, expected_of
from proofs.chaos.row import Row, under_load
from proofs.client import Answer, Connection
from proofs.counts import Counts
from proofs.mixture import as_form, digit, photo
from tests.harness import address, post_head

# To close a connection by a reset, as a client does that crashes.
RESET = struct.pack("ii", 1, 0)


def full_queue(clients: int = 200, rounds: int = 5) -> Row:
    """Far more than may be in work: the rest is told to come again, and none is left without an answer."""
    row = Row(f"full queue, {clients} clients of 16 files each")
    files = as_form(*(photo(label, "PNG") for label in range(8)), *map(digit, range(8)))
    with under_load(row, queue_size="64", max_files="16") as server:
        expected = expected_of(server.url, [files])
        crowd = asyncio.run(ask_together(server.url, files, expected[files], clients, rounds))
    row.check(crowd.busy, "none was told that it is too busy")
    row.counts += crowd
    return row


async def ask_together(url: str, request: bytes, expected: Answer, clients: int, rounds: int) -> Counts:
    counts = Counts()

    async def client() -> None:
        for _ in range(rounds):
            connection = await Connection.to(*address(url))
            await ask(connection, request, expected, counts, patience=60)
            connection.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    return counts


def cut_uploads(times: int = 1000) -> Row:
    """Half of an upload, and the connection ends: in order, by a reset, or where the server waits for more."""
    row = Row(f"{times} uploads cut in the middle")
    files = [digit(1), photo(2, "JPEG"), bytes(3_000_000)]
    with under_load(row) as server:
        for number in range(times):
            content = files[number % 3]
            with socket.create_connection(address(server.url), timeout=10) as connection:
                if number % 2:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                with contextlib.suppress(ConnectionError):
                    connection.sendall(post_head(len(content)) + content[: len(content) // 2])
    return row


def slow_uploads(clients: int = 200, seconds: float = 12) -> Row:
    """A byte a second each: told that they are too slow, and nobody else waits for them."""
    row = Row(f"{clients} uploads of a byte a second")
    with under_load(row, read_timeout_ms="8000") as server, contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(connected(server.url)) for _ in range(clients)]
        for one in crowd:
            one.sendall(post_head(1000))
        for _ in range(int(seconds)):
            for one in crowd:
                with contextlib.suppress(OSError):
                    one.sendall(b"x")
            time.sleep(1)
        told = Counter(map(status, crowd))
        row.notes.append(f"told {dict(told)}")
        row.check(told[408] == clients, f"not all {clients} were told 408: {dict(told)}")
    return row


def no_descriptors(descriptors: int = 200, clients: int = 600) -> Row:
    """More connections than a worker may open files: the rest is told so, and those that are served are."""
    row = Row(f"{clients} connections, {descriptors} file descriptors", full=True)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.ExitStack() as stack:
        # Inherited by the server; this process takes its own back for the crowd.
        resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, before[1]))
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, before)
        server = stack.enter_context(under_load(row))
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        with contextlib.ExitStack() as crowds:
            crowd = [crowds.enter_context(connected(server.url)) for _ in range(clients)]
            time.sleep(3)  # longer than a worker may be silent
            told = Counter(map(status, crowd[-50:]))
            row.notes.append(f"the last 50 told {dict(told)}")
            # A client of the load that connects anew leaves its place to one of these.
            row.check(
                told[503] > 40 and not set(told) - {503, 0}, f"of the last 50 not most were told 503: {dict(told)}"
            )
    return row


@contextlib.contextmanager
def connected(url: str) -> Iterator[socket.socket]:
    with socket.create_connection(address(url), timeout=10) as connection:
        yield connection


def status(connection: socket.socket) -> int:
    """Of what has been answered; 0: nothing."""
    connection.settimeout(5)
    with contextlib.suppress(OSError):
        head = connection.recv(65_536)
        return int(head[9:12]) if head else 0
    return 0
