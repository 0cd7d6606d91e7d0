"""The types of answers that the service writes as plain dicts; tests hold the two together."""

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import models_json_schema

from service.model.artefact import Calibration
from service.web.answer import Answer
from service.web.open_inference import wire
from service.web.openapi.responses import Schema


class Exact(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Problem(Exact):
    """An error, as RFC 9457 has it."""

    type: str
    title: str
    status: int
    detail: str = Field(description="the offending value, and what is allowed")
    request_id: str = Field(description="as in X-Request-ID")
    file: str | None = Field(default=None, description="of several files the one that has the problem")
    error: str | None = Field(default=None, description="below /v2: `detail` once more, where its clients look for it")


class Model(Exact):
    network: str
    precision: str
    sha256: str = Field(description="of the model file")
    labels: list[str]
    input: list[int] = Field(description="of an image as the network takes it")
    test_accuracy: float
    test_images: int
    reject_threshold: float = Field(description="an answer with less confidence is not accepted")
    calibration: Calibration
    provider: str = Field(description="the execution provider that is active")
    max_batch: int = Field(description="images in one run of the network")
    default: bool = Field(description="answers where a request names none")


class Feedback(Exact):
    kept: bool = Field(description="whether this server keeps corrections")
    labels: list[str]


class Kept(Exact):
    label: str
    new: bool = Field(description="false: the picture was there already; of several labels for it the last stays")


class Stats(Exact):
    workers: int
    images_in_work: int
    images: int = Field(description="that the percentiles are of")
    window: int = Field(description="how many these may be")
    latency_ms: dict[str, dict[str, float]] = Field(description="p50, p95 and p99 by stage")


DESCRIBED: tuple[type[BaseModel], ...] = (
    Answer,
    Problem,
    Model,
    Stats,
    Feedback,
    Kept,
    wire.InferRequest,
    wire.InferResponse,
    wire.ServerMetadata,
    wire.ModelMetadata,
    wire.ModelConfig,
    wire.ModelReady,
    wire.Live,
    wire.Ready,
    wire.IndexEntry,
    wire.RepositoryModel,
)


def schemas() -> Schema:
    """By name, those of `DESCRIBED` and what they are made of."""
    _, found = models_json_schema(
        [(each, "validation") for each in DESCRIBED], ref_template="#/components/schemas/{model}"
    )
    definitions: Schema = found["$defs"]
    return definitions
