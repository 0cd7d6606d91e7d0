"""The batcher gives each caller its own rows, joins what waits, and survives failures and callers that leave."""

import asyncio
import gc
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from service.fleet import metrics
from service.fleet.board import Board
from service.fleet.caller import Caller, CallerLeft
from service.fleet.metrics import Metrics
from service.model.batcher import TURNS_UNDER_LOAD, Batcher, InferenceError

Images = NDArray[np.uint8]


class Network:
    """Answers each image with its own first pixel; waits at `gate` and notes the batches it saw."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.batches: list[list[int]] = []
        self.failing: Exception | None = None

    def __call__(self, images: Images) -> NDArray[np.float32]:
        self.gate.wait(10)
        self.batches.append([int(image[0, 0]) for image in images])
        if self.failing:
            raise self.failing
        return images[:, :1, 0].astype(np.float32)


def numbered(*numbers: int) -> Images:
    return np.stack([np.full((2, 2), number, np.uint8) for number in numbers])


async def rows(batcher: Batcher, *numbers: int) -> list[int]:
    return [int(row[0]) for piece in await batcher.submit(numbered(*numbers)) for row in piece.probabilities]


def counts() -> Metrics:
    return Metrics({"a": "01"}, Board(metrics.columns({"a": "01"})), 0)


def in_loop(network: Network, max_batch: int, max_wait: float = 0) -> Batcher:
    return Batcher("a", network, max_batch, counts(), max_wait=max_wait)


def in_thread(network: Network, max_batch: int) -> Batcher:
    return Batcher("a", network, max_batch, counts(), ThreadPoolExecutor(1))


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
        batcher = in_loop(network, max_batch=4)
        assert await asyncio.gather(*(rows(batcher, n) for n in range(6))) == [[n] for n in range(6)]
        assert network.batches == [[0, 1, 2, 3], [4, 5]]
        assert await rows(batcher, 6) == [6]

    asyncio.run(scenario())


def test_what_comes_in_the_next_turns_of_the_loop_belongs_to_the_same_batch_as_long_as_it_has_room() -> None:
    async def scenario() -> None:
        network = Network()
        batcher = in_loop(network, max_batch=5)
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
        batcher = in_loop(network, max_batch=2, max_wait=max_wait)
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
        batcher = in_loop(network, max_batch=2, max_wait=max_wait)
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
        batcher = in_loop(network, max_batch=2, max_wait=0.2)
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


@pytest.mark.parametrize("make", [in_loop, in_thread])
def test_more_images_than_a_batch_holds_come_back_in_order(make: Callable[[Network, int], Batcher]) -> None:
    async def scenario() -> None:
        network = Network()
        batcher = make(network, 3)
        assert await rows(batcher, *range(8)) == list(range(8))
        assert [len(batch) for batch in network.batches] == [3, 3, 2]
        batcher.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("make", [in_loop, in_thread])
def test_a_failing_network_fails_its_own_batch_and_no_later_one(make: Callable[[Network, int], Batcher]) -> None:
    async def scenario() -> None:
        network = Network()
        batcher = make(network, 4)
        network.failing = RuntimeError("the network failed")
        outcomes = await asyncio.gather(*(batcher.submit(numbered(n)) for n in (1, 2)), return_exceptions=True)
        assert [str(outcome) for outcome in outcomes] == ["the network failed"] * 2
        assert all(isinstance(outcome, InferenceError) for outcome in outcomes)
        assert outcomes[0] is not outcomes[1]
        network.failing = None
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


@pytest.mark.parametrize("images", [1, 3])
def test_images_of_a_caller_whose_connection_is_lost_are_dropped_from_their_batch(images: int) -> None:
    """Of several pieces all are, and asyncio has nothing to complain of."""

    async def scenario() -> list[str]:
        complaints: list[str] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context["message"]))
        network = Network()
        network.gate.clear()
        batcher = in_thread(network, max_batch=2)
        running = asyncio.create_task(rows(batcher, 1))
        while not batcher._busy:
            await asyncio.sleep(0)
        caller = Caller()
        leaving = asyncio.create_task(batcher.submit(numbered(*range(10, 10 + images)), caller))
        staying = asyncio.create_task(rows(batcher, 3))
        await queued(batcher, 2)
        assert batcher.queue == images + 1
        caller.left = True
        network.gate.set()
        assert await running == [1]
        assert await staying == [3]
        with pytest.raises(CallerLeft, match="inference"):
            await leaving
        assert network.batches == [[1], [3]]
        assert batcher.queue == 0
        batcher.close()
        del leaving
        gc.collect()
        return complaints

    assert asyncio.run(scenario()) == []


def test_who_is_cancelled_as_a_batch_begins_takes_nobody_along() -> None:
    """The future of a task that is cancelled is so at once, and the task has its turn later."""

    async def scenario() -> None:
        network, caller = Network(), Caller()
        network.gate.clear()
        batcher = in_thread(network, max_batch=2)
        running = asyncio.create_task(rows(batcher, 1))
        while not batcher._busy:
            await asyncio.sleep(0)
        patient = asyncio.create_task(rows(batcher, 2))
        hurried = asyncio.create_task(batcher.submit(numbered(3), caller))
        await queued(batcher, 2)
        caller.left = True
        hurried.cancel()
        batcher._begin()
        network.gate.set()
        assert [await running, await patient] == [[1], [2]]
        with pytest.raises(asyncio.CancelledError):
            await hurried
        assert batcher.queue == 0
        batcher.close()

    asyncio.run(scenario())


def test_a_batch_that_does_not_end_is_told_of() -> None:
    async def scenario() -> None:
        network = Network()
        batcher = in_thread(network, max_batch=1)
        assert await rows(batcher, 1) == [1]
        assert not batcher.runs_longer_than(0)
        network.gate.clear()
        running = asyncio.create_task(rows(batcher, 2))
        while not batcher.runs_longer_than(0.05):
            await asyncio.sleep(0.01)
        assert not batcher.runs_longer_than(3600)
        network.gate.set()
        assert await running == [2]
        assert not batcher.runs_longer_than(0)
        batcher.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("make", [in_loop, in_thread])
def test_too_little_memory_is_said_as_such_and_passes(make: Callable[[Network, int], Batcher]) -> None:
    """It is neither the client's fault nor the network's."""

    async def scenario() -> None:
        network = Network()
        batcher = make(network, 4)
        network.failing = MemoryError()
        with pytest.raises(MemoryError):
            await batcher.submit(numbered(1))
        network.failing = None
        assert await rows(batcher, 2) == [2]
        batcher.close()

    asyncio.run(scenario())


def test_callers_that_left_do_not_fill_a_batch() -> None:
    """With four of them counted, the fifth image would be taken for the last of a full batch, and not wait."""

    async def scenario() -> None:
        network = Network()
        batcher = in_loop(network, max_batch=5, max_wait=0.3)
        leaving = [asyncio.create_task(rows(batcher, n)) for n in range(4)]
        await queued(batcher, 4)
        for task in leaving:
            task.cancel()
        await asyncio.gather(*leaving, return_exceptions=True)
        assert batcher._waiting_images == 0
        begin = time.perf_counter()
        assert list(await asyncio.gather(rows(batcher, 5), rows(batcher, 6))) == [[5], [6]]
        assert time.perf_counter() - begin > 0.15
        assert network.batches == [[5, 6]]
        assert batcher._waiting_images == 0

    asyncio.run(scenario())


def test_of_several_pieces_none_is_run_once_their_caller_has_left() -> None:
    async def scenario() -> None:
        network = Network()
        network.gate.clear()
        batcher = in_thread(network, max_batch=2)
        leaving = asyncio.create_task(rows(batcher, 1, 2, 3, 4, 5))
        while not batcher._busy:
            await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        network.gate.set()
        assert await rows(batcher, 6) == [6]
        assert network.batches == [[1, 2], [6]]
        assert batcher._waiting_images == 0
        batcher.close()

    asyncio.run(scenario())


def test_each_run_is_counted_with_the_images_in_it() -> None:
    async def scenario() -> None:
        counted = counts()
        batcher = Batcher("a", Network(), 2, counted)
        await asyncio.gather(*(rows(batcher, n) for n in range(5)))
        *buckets, images = counted.by_series("numeral_batch_images")["a",]
        assert (sum(buckets), images) == (3, 5)

    asyncio.run(scenario())
