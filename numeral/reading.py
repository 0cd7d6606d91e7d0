"""What one picture is read as."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple


class Model(NamedTuple):
    """Which file answered; `sha256` is of the ONNX file."""

    name: str
    precision: str
    sha256: str


@dataclass(frozen=True)
class Reading:
    """What /classify answers, without where the milliseconds went.

    Look at `accepted` before `digit`: what is unsure still names the likeliest digit. Where `error` says why a
    file could not be read, only `file` and `model` say something too.
    """

    file: str | None
    # None where there was nothing to read, or the model reads labels.
    digit: int | None
    confidence: float
    accepted: bool
    # Of what is not accepted, beginning with a word of its own: 'blank: …', 'unsure: …'.
    reason: str | None
    # By label; None where no network saw the picture.
    probabilities: Mapping[str, float] | None
    model: Model
    note: str | None
    # In place of `digit`, of a model of other things.
    label: str | None = None
    error: str | None = None
    # Where it was asked for: what was assumed of the digit, and what was read under that or why nothing was.
    candidates: tuple[Mapping[str, Any], ...] | None = None

    def as_row(self) -> dict[str, Any]:
        """As `numeral read` writes it. `label` and `candidates` are there where they say something."""
        row = {**vars(self), "model": self.model._asdict()}
        del row["label"], row["candidates"]
        if self.label is not None:
            row["label"] = self.label
        if self.candidates is not None:
            row["candidates"] = list(self.candidates)
        return row
