"""What the command lines of the benchmarks have in common: options without sense are refused in one line."""

import contextlib
import math
import sys
from collections.abc import Iterator
from typing import TypeVar

import tyro

from training.errors import TrainingError

Arguments = TypeVar("Arguments")
Number = float | tuple[float, ...] | None


def parse(kind: type[Arguments], name: str, about: str | None, given: list[str] | None = None) -> Arguments:
    """The options of `python -m benchmarks.NAME`. Exits where `kind` refuses one of them with a ValueError."""
    try:
        return tyro.cli(kind, prog=f"python -m benchmarks.{name}", description=about, args=given)
    except ValueError as error:
        sys.exit(f"error: {error}")


def above_zero(**options: Number) -> None:
    """Raises ValueError where one of them, or a number among them, is not. None is an option that was not given."""
    for name, number in numbers(options):
        if not 0 < number < math.inf:
            raise ValueError(f"{name} is {number}; it must be above 0, and finite")


def zero_or_more(**options: Number) -> None:
    for name, number in numbers(options):
        if not 0 <= number < math.inf:
            raise ValueError(f"{name} is {number}; it must be 0 or more, and finite")


def numbers(options: dict[str, Number]) -> Iterator[tuple[str, float]]:
    for name, value in options.items():
        for number in value if isinstance(value, tuple) else (value,):
            if number is not None:
                yield name, number


@contextlib.contextmanager
def readable_failures() -> Iterator[None]:
    """What a user can put right ends the benchmark in one line."""
    try:
        yield
    except TrainingError as error:
        sys.exit(f"error: {error}")
