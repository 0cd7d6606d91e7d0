"""A worker with more connections than its share ends some of them, and no others."""

import asyncio
import socket
from pathlib import Path

import psutil

from service import balance
from service.balance import COUNT, Balance


def write(folder: Path, worker: int, count: float) -> None:
    (folder / f"connections-{worker}").write_bytes(COUNT.pack(count))


def closes(folder: Path, other_workers: list[float], opened: int) -> int:
    """How many answers of 100 end their connection, with `opened` sockets more than there were at the start."""

    async def scenario() -> int:
        own = Balance(folder, 1)
        at_rest = psutil.Process().num_fds()
        for i, count in enumerate(other_workers):
            write(folder, 2 + i, at_rest + count)
        sockets = [socket.socket() for _ in range(opened)]
        await asyncio.sleep(1.5 * balance.INTERVAL)
        closed = sum(own.wants_to_close() for _ in range(100))
        own.close()
        for opened_socket in sockets:
            opened_socket.close()
        return closed

    return asyncio.run(scenario())


def test_the_surplus_is_closed(tmp_path: Path) -> None:
    assert closes(tmp_path, other_workers=[0], opened=32) == 16


def test_an_even_share_is_kept(tmp_path: Path) -> None:
    assert closes(tmp_path, other_workers=[16, 15], opened=16) == 0


def test_the_one_with_less_keeps_all(tmp_path: Path) -> None:
    assert closes(tmp_path, other_workers=[20], opened=4) == 0
