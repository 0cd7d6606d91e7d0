"""Joins images that wait into batches: one network run at a time, the next batch is what came meanwhile.

Nothing waits while the network is idle and nothing more arrives, and batches grow with the load by themselves.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

TURNS_UNDER_LOAD = 8
"""Of the loop before each full batch. In a turn libuv accepts a single connection: with only the turns that requests
need, each new one would wait for a batch of its own behind all others, and a health check among them for seconds."""

Run = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


class Answered(NamedTuple):
    """probabilities: float32 [N, classes]; the seconds are of the batch these images were in."""

    probabilities: NDArray[np.float32]
    batch_size: int
    queue_seconds: float
    inference_seconds: float


class Job(NamedTuple):
    """Images that belong together, never more than one batch holds."""

    images: NDArray[np.uint8]
    future: "asyncio.Future[Answered]"
    enqueued: float


class Batcher:
    """`run` takes uint8 [N, *shape]. All but `run` happens in the event loop that this is made in.

    executor: runs the network elsewhere, so that the loop goes on reading meanwhile. Without one it runs in the loop,
    which is faster where both would share a core: a way to a thread and back takes longer than a small network.
    max_wait: seconds that an image may wait for a batch to fill, while nothing runs.
    """

    def __init__(self, run: Run, max_batch: int, executor: Executor | None = None, max_wait: float = 0) -> None:
        self._run = run
        self._max_batch = max_batch
        self._max_wait = max_wait
        self._executor = executor
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Job] = deque()
        self._waiting_images = 0
        self._busy = False
        self._timer: asyncio.Handle | None = None
        self._start: asyncio.Handle | None = None
        """Of the next batch: when it need wait no longer, and in a turn of the loop from now."""

    async def submit(self, images: NDArray[np.uint8]) -> list[Answered]:
        """Answers in pieces of up to `max_batch` images, in order.

        A caller that is cancelled while it waits takes its images out of the queue.
        """
        now = time.perf_counter()
        if len(images) <= self._max_batch:
            job = Job(images, self._loop.create_future(), now)
            self._enqueue(job)
            return [await job.future]
        pieces = [images[start : start + self._max_batch] for start in range(0, len(images), self._max_batch)]
        jobs = [Job(piece, self._loop.create_future(), now) for piece in pieces]
        for job in jobs:
            self._enqueue(job)
        return list(await asyncio.gather(*(job.future for job in jobs)))

    def close(self) -> None:
        self._cancel_start()
        if self._executor:
            self._executor.shutdown(wait=False)

    def _cancel_start(self) -> None:
        for handle in (self._timer, self._start):
            if handle:
                handle.cancel()
        self._timer = self._start = None

    def _enqueue(self, job: Job) -> None:
        self._waiting.append(job)
        self._waiting_images += len(job.images)
        self._schedule()

    def _schedule(self) -> None:
        """Not at once: what else the loop has read by now belongs into the same batch."""
        if self._busy or not self._waiting or self._start:
            return
        if self._max_wait and not self._is_full():
            self._timer = self._timer or self._loop.call_later(self._max_wait, self._begin)
        else:
            self._start = self._loop.call_soon(self._begin_when_settled, self._waiting_images, 1)

    def _is_full(self) -> bool:
        return self._waiting_images >= self._max_batch

    def _begin_when_settled(self, before: int, turns: int) -> None:
        """Requests read together reach the queue some turns of the loop apart. A batch that left without the late ones
        would part them for good: each half would come back while the other is in the network."""
        if turns < TURNS_UNDER_LOAD if self._is_full() else before < self._waiting_images:
            self._start = self._loop.call_soon(self._begin_when_settled, self._waiting_images, turns + 1)
        else:
            self._begin()

    def _begin(self) -> None:
        self._cancel_start()
        jobs = self._next_batch()
        if not jobs:
            return
        started = time.perf_counter()
        try:
            images = jobs[0].images if len(jobs) == 1 else np.concatenate([job.images for job in jobs])
            if self._executor:
                self._run_elsewhere(self._executor, images, jobs, started)
                return
            answer(jobs, self._run(images), started)
        except Exception as error:  # whatever the network raises belongs to the callers, not to this loop
            fail(jobs, error)
        self._schedule()

    def _run_elsewhere(self, executor: Executor, images: NDArray[np.uint8], jobs: list[Job], started: float) -> None:
        def finish(done: "Future[NDArray[np.float32]]") -> None:
            self._busy = False
            if error := done.exception():
                fail(jobs, error)
            else:
                answer(jobs, done.result(), started)
            self._schedule()

        future = executor.submit(self._run, images)
        self._busy = True
        future.add_done_callback(lambda done: self._loop.call_soon_threadsafe(finish, done))

    def _next_batch(self) -> list[Job]:
        """The oldest jobs that fit in one batch; those whose caller is gone are dropped."""
        jobs: list[Job] = []
        room = self._max_batch
        while self._waiting and len(self._waiting[0].images) <= room:
            job = self._waiting.popleft()
            self._waiting_images -= len(job.images)
            if not job.future.done():
                jobs.append(job)
                room -= len(job.images)
        return jobs


def answer(jobs: list[Job], probabilities: NDArray[np.float32], started: float) -> None:
    inference_seconds = time.perf_counter() - started
    first = 0
    for job in jobs:
        rows = probabilities[first : first + len(job.images)]
        first += len(job.images)
        if not job.future.done():
            job.future.set_result(Answered(rows, len(probabilities), started - job.enqueued, inference_seconds))


def fail(jobs: list[Job], error: BaseException) -> None:
    for job in jobs:
        if not job.future.done():
            job.future.set_exception(error)
