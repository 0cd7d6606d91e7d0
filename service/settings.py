"""Every setting, read once from the environment: `NUMERAL_` and the field's name in capitals."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, FiniteFloat, NonNegativeInt, PositiveInt, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.errors import StartError

PREFIX = "NUMERAL_"
ROOT = Path(__file__).resolve().parent.parent

ProviderChoice = Literal["auto", "cuda", "cpu"]
PrecisionChoice = Literal["auto", "fp32", "int8"]


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    provider: ProviderChoice = Field(
        default="auto", description="where the networks run; auto takes CUDA where it can be had"
    )
    precision: PrecisionChoice = Field(
        default="auto",
        description="which file of a model runs; auto takes int8 on CPUs that have instructions for it",
    )
    workers: NonNegativeInt = Field(
        default=0,
        description="processes; 0: one for each core that this one may use, and one in all where CUDA may be used",
    )
    models_dir: Path = Field(default=ROOT / "exported", description="a folder for each model")
    default_model: str = Field(default="googlenet", min_length=1, description="answers where a request names none")
    max_body_bytes: PositiveInt = Field(default=5_000_000, description="of one request, chunked ones too")
    max_upload_bytes: PositiveInt = Field(
        default=64_000_000,
        description="that a worker holds of all uploads at a time, as far as they have arrived; more are 429",
    )
    # Beyond 89 million Pillow warns and refuses by itself.
    max_pixels: Annotated[int, Field(gt=0, le=89_000_000)] = Field(
        default=16_000_000, description="of one image, by its header, before anything of it is decoded"
    )
    max_files: PositiveInt = Field(default=256, description="in one request")
    max_batch: Annotated[int, Field(gt=0, le=1024)] = Field(
        default=64,
        description="images in one run of a network; on a CPU fewer where the model says that more bring nothing",
    )
    max_wait_ms: FiniteFloat = Field(
        default=0,
        ge=0,
        description="that an image may wait for its batch to fill; 0: a batch is what came while one ran",
    )
    queue_size: PositiveInt = Field(
        default=1024, description="images that may be in work or waiting in a worker; more are answered 429"
    )
    deadline_ms: PositiveInt = Field(
        default=5_000,
        description="from the last byte of the upload to the answer; later is 504, and its work is stopped",
    )
    read_timeout_ms: PositiveInt = Field(default=30_000, description="for an upload to arrive; slower is answered 408")
    threads: NonNegativeInt = Field(
        default=0, description="of ONNX Runtime on the CPU, in each worker; 0: the workers share out the cores"
    )

    @model_validator(mode="after")
    def fit_each_other(self) -> Self:
        if self.queue_size < self.max_files:
            raise ValueError(
                f"{PREFIX}QUEUE_SIZE is {self.queue_size}; allowed: {PREFIX}MAX_FILES ({self.max_files}) or more, "
                "or the largest request could never be taken"
            )
        if self.max_upload_bytes < self.max_body_bytes:
            raise ValueError(
                f"{PREFIX}MAX_UPLOAD_BYTES is {self.max_upload_bytes}; allowed: {PREFIX}MAX_BODY_BYTES "
                f"({self.max_body_bytes}) or more, or the largest request could never be taken"
            )
        if self.max_wait_ms >= self.deadline_ms:
            raise ValueError(
                f"{PREFIX}MAX_WAIT_MS is {self.max_wait_ms:g}; allowed: less than {PREFIX}DEADLINE_MS "
                f"({self.deadline_ms}), or a lone image would never be answered"
            )
        return self


def load() -> Settings:
    """From the environment. Raises StartError that names each offending variable, its value and what is allowed."""
    try:
        return Settings()
    except ValidationError as error:
        raise StartError("; ".join(map(describe, error.errors()))) from error


def describe(problem: ErrorDetails) -> str:
    if not problem["loc"]:
        return str(problem["ctx"]["error"])
    return f"{PREFIX}{problem['loc'][0]}".upper() + f" is {problem['input']!r}: {problem['msg'].lower()}"


def unknown(environment: Mapping[str, str]) -> list[str]:
    """Variables with the prefix that are no setting: misspelt, or put there by a container platform."""
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    return sorted(name for name in environment if name.startswith(PREFIX) and name not in known)
