"""Joins images that wait into batches: one network run at a time, the next batch is what came meanwhile.

Nothing waits while the network is idle, and batches grow with the load by themselves.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Run = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


@dataclass(frozen=True)
class Answered:
    """probabilities: float32 [N, classes]; the seconds are of the batch these images were in."""

    probabilities: NDArray[np.float32]
    batch_size: int
    queue_seconds: float
    inference_seconds: float


@dataclass(frozen=True)
class Job:
    """Images that belong together, never more than one batch holds."""

    images: NDArray[np.uint8]
    future: "asyncio.Future[Answered]"
    enqueued: float


class Batcher:
    """`run` takes uint8 [N, H, W] in a thread of this batcher's own. Everything else happens in the event loop."""

    def __init__(self, run: Run, max_batch: int) -> None:
        self._run = run
        self._max_batch = max_batch
        self._waiting: deque[Job] = deque()
        self._arrived = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="inference")
        self._worker = asyncio.create_task(self._work())

    async def submit(self, images: NDArray[np.uint8]) -> list[Answered]:
        """Answers in pieces of up to `max_batch` images, in order.

        A caller that is cancelled while it waits takes its images out of the queue.
        """
        loop = asyncio.get_running_loop()
        pieces = [images[start : start + self._max_batch] for start in range(0, len(images), self._max_batch)]
        jobs = [Job(piece, loop.create_future(), time.perf_counter()) for piece in pieces]
        self._waiting.extend(jobs)
        self._arrived.set()
        return list(await asyncio.gather(*(job.future for job in jobs)))

    def close(self) -> None:
        self._worker.cancel()
        self._thread.shutdown(wait=False)

    async def _work(self) -> None:
        while True:
            await self._arrived.wait()
            if jobs := self._next_batch():
                await self._infer(jobs)

    def _next_batch(self) -> list[Job]:
        """The oldest jobs that fit in one batch; those whose caller is gone are dropped."""
        jobs: list[Job] = []
        room = self._max_batch
        while self._waiting and len(self._waiting[0].images) <= room:
            job = self._waiting.popleft()
            if not job.future.done():
                jobs.append(job)
                room -= len(job.images)
        if not self._waiting:
            self._arrived.clear()
        return jobs

    async def _infer(self, jobs: list[Job]) -> None:
        started = time.perf_counter()
        try:
            images = np.concatenate([job.images for job in jobs])
            probabilities = await asyncio.get_running_loop().run_in_executor(self._thread, self._run, images)
        except Exception as error:  # whatever the network raises belongs to the callers, not to this loop
            for job in jobs:
                if not job.future.done():
                    job.future.set_exception(error)
            return
        inference_seconds = time.perf_counter() - started
        first = 0
        for job in jobs:
            rows = probabilities[first : first + len(job.images)]
            first += len(job.images)
            if not job.future.done():
                job.future.set_result(Answered(rows, len(images), started - job.enqueued, inference_seconds))
