"""Bounds on work taken in: requests that are read, and images that are decoded, waiting or in a network."""

from collections.abc import Callable
from http import HTTPStatus

from service.web.problem import Problem

RETRY_AFTER_SECONDS = 1


class Admission:
    """Used from the event loop alone. `tell` is called with each new number of what is in work."""

    def __init__(self, limit: int, what: str, tell: Callable[[int], None] | None = None) -> None:
        self.limit = limit
        self.what = what
        self.tell = tell
        self.admitted = 0

    def admit(self, count: int) -> "Admitted":
        """All of `count` or none. Raises Problem 429 where they do not fit."""
        if self.admitted + count > self.limit:
            raise Problem(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"{self.admitted} {self.what} are in work and {count} more would pass the limit of {self.limit}; "
                f"try again in {RETRY_AFTER_SECONDS} s",
                {"Retry-After": str(RETRY_AFTER_SECONDS)},
            )
        return Admitted(self, count)

    def change(self, count: int) -> None:
        self.admitted += count
        if self.tell:
            self.tell(self.admitted)


class Admitted:
    """What is in work within `with`."""

    __slots__ = ("_admission", "_count")

    def __init__(self, admission: Admission, count: int) -> None:
        self._admission = admission
        self._count = count

    def __enter__(self) -> None:
        self._admission.change(self._count)

    def __exit__(self, *_: object) -> None:
        self._admission.change(-self._count)
