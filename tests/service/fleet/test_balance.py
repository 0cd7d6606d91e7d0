"""A worker with more connections than its share ends some of them, and no others."""

import asyncio
import socket
from pathlib import Path

import psutil
import pytest

from service.fleet import balance
from service.fleet.balance import Balance
from service.fleet.latency import Window


def closes(folder: Path, other_workers: list[int], opened: int) -> int:
    """How many answers of 100 end their connection, with `opened` sockets more than there were at the start."""

    async def scenario() -> int:
        others = [Window(["a"], folder, 2 + i) for i in range(len(other_workers))]
        own = Balance(Window(["a"], folder, 1))
        at_rest = psutil.Process().num_fds()
        for other, count in zip(others, other_workers, strict=True):
            other.beat(at_rest + count)
        sockets = [socket.socket() for _ in range(opened)]
        await asyncio.sleep(1.5 * balance.INTERVAL)
        closed = sum(own.wants_to_close() for _ in range(100))
        own.close()
        for opened_socket in sockets:
            opened_socket.close()
        return closed

    return asyncio.run(scenario())


@pytest.mark.parametrize(
    ("other_workers", "opened", "closed"), [([0], 32, 16), ([16, 15], 16, 0), ([20], 4, 0), ([], 10, 0)]
)
def test_the_surplus_is_closed(tmp_path: Path, other_workers: list[int], opened: int, closed: int) -> None:
    assert closes(tmp_path, other_workers, opened) == closed
