"""What became of requests."""

from dataclasses import asdict, dataclass

from proofs.client import Answer
from proofs.expected import BUSY, constant


@dataclass
class Counts:
    """accepted: sent whole over a connection that was made. answered: of these, the others are lost.

    wrong: answered, and not as when asked alone; errors: with a status of 500 or more; busy: with 429.
    """

    accepted: int = 0
    answered: int = 0
    lost: int = 0
    wrong: int = 0
    errors: int = 0
    busy: int = 0

    def count(self, answer: Answer, expected: Answer) -> None:
        self.answered += 1
        if answer.status >= 500:
            self.errors += 1
        elif answer.status == BUSY:
            self.busy += 1
        elif constant(answer) != expected:
            self.wrong += 1

    def row(self) -> dict[str, int]:
        return asdict(self)

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*map(sum, zip(self.row().values(), other.row().values(), strict=True)))
