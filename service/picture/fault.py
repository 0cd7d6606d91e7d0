"""Why a file cannot be read, as a value: kept in lists and sent between processes, where an exception would keep the
file alive through its traceback."""

import enum
from typing import NamedTuple


class FaultKind(enum.Enum):
    """Listed in the order in which a file is judged: one that is both too large and damaged is too large."""

    EMPTY = "empty"
    UNSUPPORTED = "unsupported"
    TOO_LARGE = "too large"
    DAMAGED = "damaged"


class Fault(NamedTuple):
    """`detail` is a sentence for whoever sent the file: the offending value, and what is allowed."""

    kind: FaultKind
    detail: str


class Unreadable(Exception):
    """Raised anywhere in this room; `prepare` hands on its fault and lets go of the rest."""

    def __init__(self, kind: FaultKind, detail: str) -> None:
        super().__init__(detail)
        self.fault = Fault(kind, detail)
