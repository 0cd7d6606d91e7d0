"""A worker with more connections than its share ends some of them, and no others; and it never stops beating."""

import asyncio
import itertools
from pathlib import Path

import pytest

from service.fleet import balance
from service.fleet.balance import Balance
from service.fleet.board import Board


async def closed_of_100(own: Balance) -> int:
    await asyncio.sleep(1.5 * balance.INTERVAL)
    return sum(own.wants_to_close() for _ in range(100))


@pytest.mark.parametrize(
    ("others", "connections", "closed"), [([0], 32, 16), ([16, 15], 16, 0), ([20], 4, 0), ([], 10, 0)]
)
def test_the_surplus_is_closed(tmp_path: Path, others: list[int], connections: int, closed: int) -> None:
    async def scenario() -> int:
        workers = 1 + len(others)
        for number, count in enumerate(others, start=2):
            Board(0, tmp_path / "board", workers, number).beat(count)
        own = Balance(Board(0, tmp_path / "board", workers, 1), lambda: connections)
        count = await closed_of_100(own)
        own.close()
        return count

    assert asyncio.run(scenario()) == closed


def test_a_look_that_fails_is_not_the_last(tmp_path: Path) -> None:
    """A worker that no longer beats is taken for dead by the others, for good."""

    async def scenario() -> tuple[int, list[str]]:
        failures: list[str] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(str(context["exception"])))
        board = Board(0, tmp_path / "board", 2, 1)
        Board(0, tmp_path / "board", 2, 2).beat(0)
        looks = itertools.count()

        def connections() -> int:
            if next(looks) == 1:
                raise OSError("no more files")
            return 32

        own = Balance(board, connections)
        await asyncio.sleep(2.5 * balance.INTERVAL)
        closed = await closed_of_100(own)
        own.close()
        return closed, failures

    closed, failures = asyncio.run(scenario())
    assert closed == 16
    assert failures == ["no more files"]
