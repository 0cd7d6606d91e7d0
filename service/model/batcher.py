"""Joins images that wait into batches: one network run at a time, the next batch is what came meanwhile.

Nothing waits while the network is idle and nothing more arrives, and batches grow with the load by themselves.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.fleet.caller import PATIENT, Caller, CallerLeft
from service.fleet.metrics import Metrics

logger = logging.getLogger("numeral")

# Turns of the loop before each full batch. In a turn libuv accepts a single connection: with only the turns that
# requests need, each new one would wait for a batch of its own behind all others, and a health check for seconds.
TURNS_UNDER_LOAD = 8

Run = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


class InferenceError(Exception):
    """The network failed at a batch, whosever images were in it; the log says how."""


# Probabilities, float32 [N, classes], or why there are none.
Outcome = NDArray[np.float32] | InferenceError | MemoryError


class Inferred(NamedTuple):
    """probabilities: float32 [N, classes]. The moments, of `time.perf_counter`, are of all `batch_size` images."""

    probabilities: NDArray[np.float32]
    batch_size: int
    queued: float
    ran: float
    ended: float


class Job:
    """Images that belong together, never more than one batch holds."""

    __slots__ = ("caller", "enqueued", "future", "images", "waiting")

    def __init__(self, images: NDArray[np.uint8], future: "asyncio.Future[Inferred]", caller: Caller) -> None:
        self.images = images
        self.future = future
        self.caller = caller
        self.enqueued = time.perf_counter()
        self.waiting = True


class Batcher:
    """`run` of a model takes uint8 [N, *shape]. All but `run` happens in the event loop that this is made in.

    executor: runs the network elsewhere, so that the loop goes on reading meanwhile. Without one it runs in the loop,
    which is faster where both would share a core: a way to a thread and back takes longer than a small network.
    max_wait: seconds that an image may wait for a batch to fill, while nothing runs.
    """

    def __init__(
        self,
        model: str,
        run: Run,
        max_batch: int,
        metrics: Metrics,
        executor: Executor | None = None,
        max_wait: float = 0,
    ) -> None:
        self._model = model
        self._run = run
        self._metrics = metrics
        self._max_batch = max_batch
        self._max_wait = max_wait
        self._executor = executor
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Job] = deque()
        # Of callers that are still there.
        self._waiting_images = 0
        self._busy = False
        # When the last batch did, of `time.perf_counter`.
        self._began = 0.0
        # Of the next batch: when it need wait no longer, and in a turn of the loop from now.
        self._timer: asyncio.Handle | None = None
        self._start: asyncio.Handle | None = None

    async def submit(self, images: NDArray[np.uint8], caller: Caller = PATIENT) -> list[Inferred]:
        """Answers in pieces of up to `max_batch` images, in order. Raises InferenceError, MemoryError, CallerLeft.

        Whoever is cancelled while it waits takes its images out of the queue; those of a caller that has left by the
        time of their batch are dropped.
        """
        starts = range(0, len(images), self._max_batch)
        jobs = [Job(images[start : start + self._max_batch], self._loop.create_future(), caller) for start in starts]
        for job in jobs:
            self._enqueue(job)
        try:
            return [await job.future for job in jobs]
        finally:
            for job in jobs:
                self._leave(job)

    @property
    def queue(self) -> int:
        """Images that wait for a batch."""
        return self._waiting_images

    def runs_longer_than(self, seconds: float) -> bool:
        """Whether a batch does in the executor; one that runs in the loop holds up whoever could ask."""
        return self._busy and time.perf_counter() - self._began > seconds

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

    def _leave(self, job: Job) -> None:
        """Does nothing to one that has been answered."""
        if not job.future.cancel() and not job.future.cancelled():
            job.future.exception()  # asyncio complains of one that nobody has seen
        if job.waiting:
            job.waiting = False
            self._waiting_images -= len(job.images)

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
        self._metrics.ran_batch(self._model, sum(len(job.images) for job in jobs))
        begin = self._began = time.perf_counter()
        if self._executor:
            self._busy = True
            future = self._executor.submit(self._infer, jobs)
            future.add_done_callback(lambda done: self._loop.call_soon_threadsafe(self._finish, jobs, begin, done))
        else:
            deliver(jobs, self._infer(jobs), begin)
            self._schedule()

    def _infer(self, jobs: list[Job]) -> Outcome:
        """An error is a value: raised, it would keep what the frames below it hold."""
        try:
            return self._run(jobs[0].images if len(jobs) == 1 else np.concatenate([job.images for job in jobs]))
        except MemoryError:
            return MemoryError()
        except Exception as error:  # whatever the network raises belongs to the callers, not to this loop
            logger.exception("a batch failed")
            return InferenceError(str(error))

    def _finish(self, jobs: list[Job], begin: float, done: "Future[Outcome]") -> None:
        self._busy = False
        deliver(jobs, done.result(), begin)
        self._schedule()

    def _next_batch(self) -> list[Job]:
        """The oldest jobs that fit in one batch; those that nobody waits for are dropped."""
        jobs: list[Job] = []
        room = self._max_batch
        while self._waiting and len(self._waiting[0].images) <= room:
            job = self._waiting.popleft()
            # One that has just been cancelled leaves when its task's turn has come.
            if not job.waiting or job.future.done():
                continue
            job.waiting = False
            self._waiting_images -= len(job.images)
            if job.caller.waits():
                jobs.append(job)
                room -= len(job.images)
            else:
                job.future.set_exception(CallerLeft("inference"))
        return jobs


def deliver(jobs: list[Job], outcome: Outcome, begin: float) -> None:
    end = time.perf_counter()
    first = 0
    for job in jobs:
        if job.future.done():
            pass
        elif isinstance(outcome, Exception):
            # One of its own: an exception that several callers raise would gather the frames of all.
            job.future.set_exception(type(outcome)(*outcome.args))
        else:
            rows = outcome[first : first + len(job.images)]
            job.future.set_result(Inferred(rows, len(outcome), job.enqueued, begin, end))
        first += len(job.images)
