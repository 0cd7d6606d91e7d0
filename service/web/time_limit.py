"""A limit on how long a part of a request may take.

asyncio.timeout does the same with a timer of the event loop for each use, which costs uvloop as much time as decoding
a small image; here one timer watches the oldest of all uses.
"""

import asyncio
from types import TracebackType
from typing import Self


class TimeLimit:
    """Made and used in one event loop: `with limit.start(): await …` raises TimeoutError after `seconds`."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._loop = asyncio.get_running_loop()
        # The oldest first, as all take equally long.
        self._running: dict[Running, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> "Running":
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # for the type checker: a coroutine runs in a task
        return Running(self, task, self._loop.time() + self.seconds)

    def close(self) -> None:
        if self._timer:
            self._timer.cancel()

    def add(self, running: "Running") -> None:
        self._running[running] = None
        if self._timer is None:
            self._timer = self._loop.call_at(running.due, self._look)

    def remove(self, running: "Running") -> None:
        self._running.pop(running, None)

    def _look(self) -> None:
        self._timer = None
        while running := next(iter(self._running), None):
            if running.due > self._loop.time():
                self._timer = self._loop.call_at(running.due, self._look)
                return
            del self._running[running]
            running.expire()


class Running:
    """`due`: of the loop's clock."""

    __slots__ = ("_cancelled_before", "_expired", "_limit", "_task", "due")

    def __init__(self, limit: TimeLimit, task: "asyncio.Task[object]", due: float) -> None:
        self._limit = limit
        self._task = task
        self._cancelled_before = task.cancelling()
        self._expired = False
        self.due = due

    def expire(self) -> None:
        self._expired = True
        self._task.cancel()

    def __enter__(self) -> Self:
        self._limit.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._limit.remove(self)
        # Where someone else has cancelled the task as well, it is that which counts.
        if self._expired and self._task.uncancel() <= self._cancelled_before and kind is asyncio.CancelledError:
            raise TimeoutError from error
