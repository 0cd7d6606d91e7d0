"""The schema of what one image is answered with; `service.model.verdict` says what stands in it."""

from typing import Any

import bentoml
from pydantic import ConfigDict, Field


class Answer(bentoml.IODescriptor):
    """The answer to one file. Several files are answered with a list, a problem in place of a file that has one."""

    # The schema in /docs.json. The answers themselves are plain dicts, and a test holds the two together.
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
    receipt: dict[str, str | float] = Field(
        description="sha256 of the file and of the model, precision, provider, threshold, code and libraries: whoever "
        "has these has the same answer"
    )
    candidates: list[dict[str, Any]] | None = Field(
        default=None,
        description="with ?explain=1: what was assumed of the digit, and what was read under that or why nothing was; "
        "`image` is what the network saw, as a data URL; all count the same, `decided` is the surest of the answer",
    )
