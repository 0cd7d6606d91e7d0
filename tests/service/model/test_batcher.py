"""The batcher gives each caller its own rows, joins what waits, and survives failures and callers that leave."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from service.model.batcher import TURNS_UNDER_LOAD, Batcher

Images = NDArray[np.uint8]


class Network:
    """Answers each image with its own first pixel; waits at `gate` and notes the batches it saw."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.batches: list[list[int]] = []
        self.failing = False

    def __call__(self, images: Images) -> NDArray[np.float32]:
        self.gate.wait(10)
        self.batches.append([int(image[0, 0]) for image in images])
        if self.failing:
            raise RuntimeError("the network failed")
        return images[:, :1, 0].astype(np.float32)


def numbered(*numbers: int) -> Images:
    return np.stack([np.full((2, 2), number, np.uint8) for number in numbers])


async def rows(batcher: Batcher, *numbers: int) -> list[int]:
    return [int(row[0]) for piece in await batcher.submit(numbered(*numbers)) for row in piece.probabilities]


def in_thread(network: Network, max_batch: int) -> Batcher:
    return Batcher(network, max_batch, ThreadPoolExecutor(1))


async def queued(batcher: Batcher, count: int) -> None:
    while len(batcher._waiting) < count:
        await asyncio.sleep(0)


def test_images_that_wait_are_joined_and_each_caller_gets_its_own() -> None:
    async def scenario() -> None:
        network = Network()
        network.gate.clear()
        batcher = in_thread(network, max_batch=4)
        first = asyncio.create_task(rows(batcher, 1))
        while not batcher._busy:
            await asyncio.sleep(0)
        others = [asyncio.create_task(rows(batcher, n, n + 100)) for n in (2, 3)]
        await queued(batcher, 2)
        network.gate.set()
        assert await first == [1]
        assert [await other for other in others] == [[2, 102], [3, 103]]
        assert network.batches == [[1], [2, 102, 3, 103]]
        batcher.close()

    asyncio.run(scenario())


def test_in_the_loop_what_came_together_is_one_batch() -> None:
    async def scenario() -> None:
        network = Network()
        batcher = Batcher(network, max_batch=4)
        assert await asyncio.gather(*(rows(batcher, n) for n in range(6))) == [[n] for n in range(6)]
        assert network.batches == [[0, 1, 2, 3], [4, 5]]
        assert await rows(batcher, 6) == [6]

    asyncio.run(scenario())


def test_what_comes_in_the_next_turns_of_the_loop_belongs_to_the_same_batch_as_long_as_it_has_room() -> None:
    async def scenario() -> None:
        network = Network()
        batcher = Batcher(network, max_batch=5)
        callers = []
        for turn in range(4):
            callers += [asyncio.create_task(rows(batcher, 10 * turn + n)) for n in range(2)]
            await asyncio.sleep(0)
        await asyncio.gather(*callers)
        assert network.batches == [[0, 1, 10, 11, 20], [21, 30, 31]]

    asyncio.run(scenario())


@pytest.mark.parametrize("max_wait", [0, 10])
def test_under_load_there_are_turns_of_the_loop_between_batches(max_wait: float) -> None:
    """One that waits for its turn, as a new connection does, gets several for each batch."""

    async def scenario() -> None:
        network = Network()
        batcher = Batcher(network, max_batch=2, max_wait=max_wait)
        busy = asyncio.gather(*(rows(batcher, n) for n in range(20)))
        turns = 0
        while not busy.done():
            await asyncio.sleep(0)
            turns += 1
        assert len(network.batches) == 10
        assert turns > 10 * (TURNS_UNDER_LOAD - 1)

    asyncio.run(scenario())


@pytest.mark.parametrize("max_wait", [0, 10])
def test_images_that_come_in_every_turn_hold_up_no_full_batch(max_wait: float) -> None:
    async def scenario() -> None:
        network = Network()
        batcher = Batcher(network, max_batch=2, max_wait=max_wait)
        callers = []
        for n in range(50):
            callers.append(asyncio.create_task(rows(batcher, n)))
            await asyncio.sleep(0)
        assert len(network.batches) >= 50 / TURNS_UNDER_LOAD - 2
        await asyncio.gather(*callers)

    asyncio.run(scenario())


def test_a_lone_image_waits_no_longer_than_it_may_and_a_full_batch_not_at_all() -> None:
    async def scenario() -> None:
        network = Network()
        batcher = Batcher(network, max_batch=2, max_wait=0.2)
        started = time.perf_counter()
        assert list(await asyncio.gather(rows(batcher, 1), rows(batcher, 2))) == [[1], [2]]
        assert time.perf_counter() - started < 0.2
        await rows(batcher, 3)
        assert time.perf_counter() - started >= 0.2
        late = asyncio.create_task(rows(batcher, 4))
        await asyncio.sleep(0.05)
        assert await rows(batcher, 5) == [5]
        assert await late == [4]
        assert network.batches == [[1, 2], [3], [4, 5]]

    asyncio.run(scenario())


@pytest.mark.parametrize("make", [Batcher, in_thread])
def test_more_images_than_a_batch_holds_come_back_in_order(make: Callable[[Network, int], Batcher]) -> None:
    async def scenario() -> None:
        network = Network()
        batcher = make(network, 3)
        assert await rows(batcher, *range(8)) == list(range(8))
        assert [len(batch) for batch in network.batches] == [3, 3, 2]
        batcher.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("make", [Batcher, in_thread])
def test_a_failing_network_fails_its_own_batch_and_no_later_one(make: Callable[[Network, int], Batcher]) -> None:
    async def scenario() -> None:
        network = Network()
        batcher = make(network, 4)
        network.failing = True
        with pytest.raises(RuntimeError, match="the network failed"):
            await batcher.submit(numbered(1))
        network.failing = False
        assert await rows(batcher, 2) == [2]
        batcher.close()

    asyncio.run(scenario())


def test_images_of_a_caller_that_left_are_never_run() -> None:
    async def scenario() -> None:
        network = Network()
        network.gate.clear()
        batcher = in_thread(network, max_batch=1)
        running = asyncio.create_task(rows(batcher, 1))
        while not batcher._busy:
            await asyncio.sleep(0)
        leaving = asyncio.create_task(rows(batcher, 2))
        staying = asyncio.create_task(rows(batcher, 3))
        await queued(batcher, 2)
        leaving.cancel()
        await asyncio.sleep(0)
        network.gate.set()
        assert await running == [1]
        assert await staying == [3]
        assert network.batches == [[1], [3]]
        batcher.close()

    asyncio.run(scenario())
