"""A worker with more connections than its share ends some of them, and no others; and it never stops beating."""

import asyncio
import itertools
from pathlib import Path

import pytest

from service.fleet import balance
from service.fleet.balance import Balance
from service.fleet.board import BEAT, QUEUE, Board


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


def test_one_that_is_stuck_does_not_beat_until_it_goes_on(tmp_path: Path) -> None:
    async def scenario() -> list[int]:
        board = Board(0, tmp_path / "board", 2, 2)
        stuck = [False]
        own = Balance(board, lambda: 3, lambda: 9, lambda: stuck[0])
        beats = [int(board.heads()[1, QUEUE])]
        for now in (True, False):
            stuck[0] = now
            before = board.heads()[1, BEAT]
            await asyncio.sleep(2.5 * balance.INTERVAL)
            beats.append(int(board.heads()[1, BEAT] > before))
        own.close()
        return beats

    assert asyncio.run(scenario()) == [9, 0, 1]
