"""Who waits for an answer, as far as those who work for it need to know."""

import asyncio
import time
from collections.abc import Awaitable
from typing import Literal, TypeVar

T = TypeVar("T")

# What is spared where nobody waits any more: the step that comes next.
Step = Literal["decode", "inference"]


class CallerLeft(Exception):
    """Nobody waits for the answer. `before`: the step that is not taken for it."""

    def __init__(self, before: Step) -> None:
        super().__init__(before)
        self.before: Step = before


class Caller:
    """One for each connection; `left` is set where that is lost."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = False

    def has_gone(self) -> bool:
        return self.left

    def waits(self) -> bool:
        return not self.left

    def seconds_left(self) -> float | None:
        """None of one that says nothing of how long it waits."""
        return None


class Hurried(Caller):
    """One that waits for the answer to one request until `due`, of `time.perf_counter`."""

    __slots__ = ("_caller", "_due")

    def __init__(self, caller: Caller, due: float) -> None:
        super().__init__()
        self._caller = caller
        self._due = due

    def has_gone(self) -> bool:
        return self._caller.has_gone()

    def waits(self) -> bool:
        return self._caller.waits() and self.seconds_left() > 0

    def seconds_left(self) -> float:
        left, others = self._due - time.perf_counter(), self._caller.seconds_left()
        return left if others is None else min(left, others)


# Of what no connection stands behind.
PATIENT = Caller()


async def within(caller: Caller, awaited: Awaitable[T], before: Step) -> T:
    """Cancels what is `awaited`, and raises CallerLeft, once the caller has waited for as long as it said."""
    seconds = caller.seconds_left()
    if seconds is None:
        return await awaited
    try:
        async with asyncio.timeout(seconds):
            return await awaited
    except TimeoutError as error:
        raise CallerLeft(before) from error
