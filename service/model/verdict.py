"""What probabilities come to: digit, confidence, accepted and why not. Over HTTP and in the library alike."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.model.artefact import Artefact
from service.picture.candidates import agreed
from service.picture.prepare import Prepared
from service.picture.shown import data_url


def rounded(probabilities: NDArray[np.float32]) -> list[list[float]]:
    """float32 [N, classes] → to six places, as all that an answer says is derived from what it shows."""
    rows: list[list[float]] = probabilities.astype(np.float64).round(6).tolist()
    return rows


def refused(artefact: Artefact, reason: str) -> dict[str, Any]:
    """The part of an answer that says what was read, where the image was refused before the network."""
    nothing = {"digit": None} if artefact.reads_digits else {"label": None}
    return {**nothing, "confidence": 0.0, "accepted": False, "reason": reason, "probabilities": None}


def classified(artefact: Artefact, candidates: list[list[float]]) -> dict[str, Any]:
    """The same of one that the network saw. candidates: probabilities of each, of the `rounded`."""
    probabilities = agreed(candidates)
    confidence = max(probabilities)
    label = artefact.labels[probabilities.index(confidence)]
    accepted = confidence >= artefact.reject_threshold
    return {
        **({"digit": int(label)} if artefact.reads_digits else {"label": label}),
        "confidence": confidence,
        "accepted": accepted,
        "reason": None if accepted else unsure(confidence, artefact),
        "probabilities": dict(zip(artefact.labels, probabilities, strict=True)),
    }


def explained(artefact: Artefact, prepared: Prepared, candidates: list[list[float]]) -> list[dict[str, Any]]:
    """What was read in each candidate by itself, and why there is none under the other assumptions.

    The answer is what all agree on; `decided` is the one that is surest of it.
    """
    surest = decider(candidates)
    read = [
        {
            "assumed": what,
            "read": artefact.labels[row.index(max(row))],
            "confidence": max(row),
            "refused": None,
            "decided": number == surest,
            "image": data_url(pixels),
        }
        for number, (what, row, pixels) in enumerate(zip(prepared.assumed, candidates, seen(prepared), strict=True))
    ]
    nothing = {"read": None, "confidence": 0.0, "decided": False, "image": None}
    return read + [{"assumed": what, "refused": why, **nothing} for what, why in prepared.dropped]


def decider(candidates: list[list[float]]) -> int | None:
    """The number of the candidate that gives the most to the answer, None where there are none."""
    if not candidates:
        return None
    probabilities = agreed(candidates)
    answer = probabilities.index(max(probabilities))
    return max(range(len(candidates)), key=lambda number: candidates[number][answer])


def seen(prepared: Prepared) -> NDArray[np.uint8]:
    return np.empty((0, 1, 1), np.uint8) if prepared.pixels is None else prepared.pixels


def unsure(confidence: float, artefact: Artefact) -> str:
    probably = "no digit" if artefact.reads_digits else "none of its classes"
    threshold = artefact.reject_threshold
    return f"unsure: confidence {confidence:.3f} is under the threshold {threshold:.3f}, so this is probably {probably}"


def described(artefact: Artefact) -> dict[str, str]:
    return {"name": artefact.name, "precision": artefact.precision, "sha256": artefact.sha256}
