"""Every setting, read once from the environment: `NUMERAL_` and the field's name in capitals.

The descriptions are the table of docs/settings.md, which `python -m tests.settings_table` writes.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    DirectoryPath,
    Field,
    FiniteFloat,
    NonNegativeInt,
    PositiveInt,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from service.errors import StartError

PREFIX = "NUMERAL_"
ROOT = Path(__file__).resolve().parent.parent
DEFAULT_MODEL = "googlenet"

# What `numeral read --url` sends, which whoever runs a server may well have set too.
CLIENT_KEY = f"{PREFIX}API_KEY"
KEY_FILE = f"{PREFIX}API_KEY_FILE"

# As browsers send it: no path, not even a slash.
ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[a-z0-9.:\[\]-]+")

ProviderChoice = Literal["auto", "cuda", "cpu"]
AccessLogChoice = Literal["off", "json"]
PrecisionChoice = Literal["auto", "fp32", "int8"]


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    provider: ProviderChoice = Field(
        default="auto",
        description="where networks run: `auto`, `cuda` or `cpu`; `cuda` that cannot be had stops the start, `auto` "
        "takes CUDA where it can",
    )
    precision: PrecisionChoice = Field(
        default="auto",
        description="which file of a model runs: `auto`, `fp32` or `int8`; `auto` takes int8 on CPUs with instructions "
        "for it (VNNI) unless ONNX Runtime comes with CUDA, and fp32 else",
    )
    workers: NonNegativeInt = Field(
        default=0,
        description="processes; 0: one for each core that this one may use, one in all where `onnxruntime-gpu` is "
        "installed and may be used",
    )
    models_dir: Path = Field(default=ROOT / "exported", description="a folder for each model")
    default_model: str = Field(default=DEFAULT_MODEL, min_length=1, description="answers where a request names none")
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="of pages that a browser lets ask from elsewhere, as `https://example.org,http://localhost:8080`, "
        "or `*` for all",
    )
    max_body_bytes: PositiveInt = Field(default=12_000_000, description="of a request, chunked ones too")
    max_upload_bytes: PositiveInt = Field(
        default=64_000_000,
        description="that a worker holds of all uploads at a time, as far as they have arrived, `MAX_BODY_BYTES` at "
        "least; more are answered 429",
    )
    # Beyond 89 million Pillow warns and refuses by itself.
    max_pixels: Annotated[int, Field(gt=0, le=89_000_000)] = Field(
        default=16_000_000,
        description="of an image as it is decoded, checked before that by its header; a JPEG in one scan, which is "
        "decoded at down to an eighth of its sides, may have eight times as many; 89 million at most",
    )
    max_files: PositiveInt = Field(default=256, description="in a request")
    max_batch: Annotated[int, Field(gt=0, le=1024)] = Field(
        default=64,
        description="images in one run of a network, 1 to 1,024; on a CPU no more than pay off for the model: 64 for "
        "GoogLeNet, 8 for AlexNet (`max_batch` in `/models`)",
    )
    max_wait_ms: FiniteFloat = Field(
        default=0,
        ge=0,
        description="that an image may wait for its batch to fill, less than `DEADLINE_MS`; 0: a batch is what came "
        "while the one before ran",
    )
    queue_size: PositiveInt = Field(
        default=1024,
        description="images in work or waiting in a worker, `MAX_FILES` at least; more are answered 429",
    )
    deadline_ms: PositiveInt = Field(
        default=5_000,
        description="from the last byte of the upload to the answer; later is answered 504, and what decodes the "
        "picture is killed",
    )
    read_timeout_ms: PositiveInt = Field(default=30_000, description="for an upload to arrive; slower is answered 408")
    threads: NonNegativeInt = Field(
        default=0, description="of ONNX Runtime on the CPU, in each worker; 0: the workers share out the cores"
    )
    access_log: AccessLogChoice = Field(
        default="off",
        description="`off` or `json`: a line for each request on standard output, without pictures or names of files",
    )
    api_key_file: Path | None = Field(
        default=None,
        description="a file of keys, one a line: whatever sends something (not GET, HEAD, OPTIONS) needs one of them, "
        "else 401",
    )
    client_requests_per_second: FiniteFloat = Field(
        default=0,
        ge=0,
        le=100_000,
        description="that a client, by its key or address, may send to each worker, 100,000 at most; more are answered "
        "429; 0: any number",
    )
    feedback_dir: DirectoryPath | None = Field(
        default=None,
        description="a folder that is there, where corrections are kept to train on: `LABEL/sha256.png`, the file with "
        "all that is in it; without one `POST /feedback` answers 404",
    )
    feedback_max_bytes: PositiveInt = Field(
        default=1_000_000_000, description="of all corrections that are kept; more are answered 507"
    )
    feedback_max_files: PositiveInt = Field(
        default=10_000, description="corrections that are kept; more are answered 507"
    )

    @field_validator("feedback_dir", mode="before")
    @classmethod
    def be_writable(cls, folder: str | Path | None) -> str | Path | None:
        """The empty string would be the folder of the process."""
        if folder is not None and not (str(folder) and os.access(folder, os.W_OK | os.X_OK)):
            raise ValueError("allowed: a folder that exists and may be written to")
        return folder

    @field_validator("cors_origins", mode="before")
    @classmethod
    def part_origins(cls, value: object) -> object:
        return tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value

    @field_validator("cors_origins")
    @classmethod
    def check_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            if origin != "*" and not ORIGIN.fullmatch(origin):
                raise ValueError(f"{origin!r} is no origin; allowed: *, or such as https://example.org:8080, by commas")
        return origins

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


def load(**chosen: object) -> Settings:
    """From the environment, but for what is chosen.

    Raises StartError that names each offending variable, its value and what is allowed.
    """
    try:
        return Settings(**chosen)  # type: ignore[arg-type]  # pydantic checks them
    except ValidationError as error:
        raise StartError("; ".join(map(describe, error.errors()))) from error


def describe(problem: ErrorDetails) -> str:
    if not problem["loc"]:
        return str(problem["ctx"]["error"])
    return f"{PREFIX}{problem['loc'][0]}".upper() + f" is {problem['input']!r}: {problem['msg'].lower()}"


def ignored(environment: Mapping[str, str]) -> list[str]:
    """A line for each variable with the prefix that is no setting: misspelt, or put there by a container platform."""
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields} | {CLIENT_KEY}
    names = sorted(name for name in environment if name.startswith(PREFIX) and name not in known)
    lines = [f"{name} is no setting and is ignored" for name in names]
    if CLIENT_KEY in environment and KEY_FILE not in environment:
        lines.append(f"{CLIENT_KEY} is for clients and asks nobody for a key; {KEY_FILE} does")
    return lines
