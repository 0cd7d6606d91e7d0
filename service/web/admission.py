"""Bounds on what a worker takes in: bytes of uploads that it holds, and images that are in work or wait for it."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Self

from service.web.problem import Problem

RETRY_AFTER_SECONDS = 1


class Admission:
    """Used from the event loop alone. `setting` sets the limit; `tell` is called with each new amount in work,
    `reject` where more does not fit."""

    def __init__(
        self,
        limit: int,
        what: str,
        setting: str,
        tell: Callable[[int], None] | None = None,
        reject: Callable[[], None] | None = None,
    ) -> None:
        self.limit = limit
        self.what = what
        self.setting = setting
        self.tell = tell
        self.reject = reject
        self.admitted = 0

    def hold(self) -> "Held":
        return Held(self)

    def change(self, amount: int) -> None:
        self.admitted += amount
        if self.tell:
            self.tell(self.admitted)


class Held:
    """What one request has been admitted, until the end of `with`."""

    __slots__ = ("_admission", "_amount")

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._amount = 0

    def add(self, amount: int) -> None:
        """All of it or nothing. Raises Problem 429 where it does not fit."""
        admission = self._admission
        if admission.admitted + amount > admission.limit:
            if admission.reject:
                admission.reject()
            raise Problem(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"{admission.admitted:,} {admission.what} are in work and {amount:,} more would pass the limit of "
                f"{admission.limit:,} ({admission.setting}); try again in {RETRY_AFTER_SECONDS} s",
                {"Retry-After": str(RETRY_AFTER_SECONDS)},
            )
        self._amount += amount
        admission.change(amount)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._admission.change(-self._amount)


def no_turn(seconds: float) -> Problem:
    """Of a large image that had no process so long after it came, others of its request among what was before it, and
    would be late if it had one now."""
    return Problem(
        HTTPStatus.TOO_MANY_REQUESTS,
        f"no process for large images was free within {seconds:g} s; try again in {RETRY_AFTER_SECONDS} s",
        {"Retry-After": str(RETRY_AFTER_SECONDS)},
    )
