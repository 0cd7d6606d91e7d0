"""What is said of each file: a row, as `Reading.as_row` makes it and JSON holds it."""

from typing import Any

Row = dict[str, Any]


def unreadable(file: str | None, error: str, model: dict[str, str]) -> Row:
    nothing = {"digit": None, "confidence": 0.0, "accepted": False, "reason": None, "probabilities": None}
    return {"file": file, **nothing, "model": model, "note": None, "error": error}
