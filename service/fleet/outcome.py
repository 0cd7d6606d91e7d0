"""What became of a reload, as the processes that have a part in it tell each other."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Self

# In the shared folder: how often each of `RESULTS` came about.
FILE = "reload_counts"

# In the place of a model's name.
ALL = ""

RESULTS = ("reloaded", "unchanged", "refused", "rolled_back")


class Outcome(NamedTuple):
    """`changed`: by the name of each model that is another now, the sha256 of its file. `refused`: why another stays as
    it was. `rolled_back`: whether all stay, as a worker could not load what had been found good."""

    changed: Mapping[str, str]
    refused: Mapping[str, str]
    rolled_back: bool = False

    @classmethod
    def parse(cls, text: bytes) -> Self:
        """Raises ValueError."""
        said = json.loads(text)
        if not isinstance(said, dict):
            raise ValueError(f"{text!r} is no outcome")
        return cls(**said)

    def text(self) -> bytes:
        return json.dumps(self._asdict()).encode() + b"\n"

    def why_not(self, model: str) -> str | None:
        return self.refused.get(model) or self.refused.get(ALL)

    @property
    def result(self) -> str:
        """One of `RESULTS`."""
        if self.rolled_back:
            return "rolled_back"
        if self.refused:
            return "refused"
        return "reloaded" if self.changed else "unchanged"


def counts(shared: Path | None) -> dict[str, int]:
    """By result."""
    try:
        noted: dict[str, int] = json.loads((shared / FILE).read_bytes()) if shared else {}
    except FileNotFoundError:
        noted = {}
    return {result: noted.get(result, 0) for result in RESULTS}


def count(shared: Path, result: str) -> None:
    noted = counts(shared)
    half = shared / f".{FILE}"
    half.write_text(json.dumps({**noted, result: noted[result] + 1}))
    os.replace(half, shared / FILE)
