"""Bounds on work taken in: requests that are read, and images that are decoded, waiting or in a network."""

import contextlib
from collections.abc import Iterator
from http import HTTPStatus

from service.problem import Problem

RETRY_AFTER_SECONDS = 1


class Admission:
    """Used from the event loop alone."""

    def __init__(self, limit: int, what: str) -> None:
        self.limit = limit
        self.what = what
        self.admitted = 0

    @contextlib.contextmanager
    def admit(self, count: int) -> Iterator[None]:
        """All of `count` or none. Raises Problem 429 where they do not fit."""
        if self.admitted + count > self.limit:
            raise Problem(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"{self.admitted} {self.what} are in work and {count} more would pass the limit of {self.limit}; "
                f"try again in {RETRY_AFTER_SECONDS} s",
                {"Retry-After": str(RETRY_AFTER_SECONDS)},
            )
        self.admitted += count
        try:
            yield
        finally:
            self.admitted -= count
