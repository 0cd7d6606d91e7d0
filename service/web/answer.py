"""What one image is answered with."""

from typing import Any

import bentoml
import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field

from service.model.artefact import Artefact
from service.picture.candidates import agreed
from service.picture.prepare import Prepared


class Answer(bentoml.IODescriptor):
    """The answer to one file. Several files are answered with a list, a problem in place of a file that has one.

    It is the schema in /docs.json; the answers themselves are plain dicts, and a test holds the two together.
    """

    model_config = ConfigDict(extra="forbid")

    digit: int | None = Field(default=None, description="the answer; null where there was nothing to read")
    label: str | None = Field(default=None, description="the answer, in place of `digit`, of a model of other things")
    confidence: float = Field(description="the probability of the answer, 0 to 1")
    accepted: bool = Field(description="false: this is probably nothing that the model knows; `reason` says why")
    reason: str | None = Field(description="a word and an explanation, as in 'blank: …' or 'unsure: …'")
    probabilities: dict[str, float] | None = Field(description="by label")
    model: dict[str, str] = Field(description="name, precision and sha256 of the model file")
    provider: str = Field(description="the execution provider that is active")
    batch_size: int = Field(
        description="candidates in the run of the network that this image's were in, one or two an image; 0: in none"
    )
    latency_ms: dict[str, float] = Field(description="read, decode, normalise, queue, inference and total")
    note: str | None = Field(description="such as: only the first of several frames was read")
    file: str | None = Field(description="the file name that the client gave")
    candidates: list[dict[str, Any]] | None = Field(
        default=None,
        description="with ?explain=1: what was assumed of the digit, and what was read under that or why nothing was",
    )


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
    """What was read in each candidate by itself, and why there is none under the other assumptions."""
    read = [
        {"assumed": what, "read": artefact.labels[row.index(max(row))], "confidence": max(row), "refused": None}
        for what, row in zip(prepared.assumed, candidates, strict=True)
    ]
    return read + [{"assumed": what, "read": None, "confidence": 0.0, "refused": why} for what, why in prepared.dropped]


def unsure(confidence: float, artefact: Artefact) -> str:
    probably = "no digit" if artefact.reads_digits else "none of its classes"
    threshold = artefact.reject_threshold
    return f"unsure: confidence {confidence:.3f} is under the threshold {threshold:.3f}, so this is probably {probably}"


def described(artefact: Artefact) -> dict[str, str]:
    return {"name": artefact.name, "precision": artefact.precision, "sha256": artefact.sha256}
