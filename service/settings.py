"""Every setting, read once from the environment: `NUMERAL_` and the field's name in capitals."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from annotated_types import Ge, Gt, Le, MinLen
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass
from pydantic_core import ErrorDetails

from service.errors import StartError

PREFIX = "NUMERAL_"
ROOT = Path(__file__).resolve().parent.parent

Provider = Literal["auto", "cuda", "cpu"]
Precision = Literal["auto", "fp32", "int8"]
Positive = Annotated[int, Gt(0)]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Settings:
    provider: Provider = "auto"
    """where the networks run; auto takes CUDA where it can be had"""
    precision: Precision = "auto"
    """which file of a model runs; auto takes int8 on CPUs with instructions for it, int8 is not for CUDA"""
    workers: Annotated[int, Ge(0)] = 0
    """processes; 0: one for each core that this one may use, and one in all where CUDA may be used"""
    models_dir: Path = ROOT / "exported"
    default_model: Annotated[str, MinLen(1)] = "googlenet"
    """the model that answers where a request names none"""
    max_body_bytes: Positive = 5_000_000
    max_pixels: Positive = 16_000_000
    """of one image, by its header, before anything of it is decoded"""
    max_files: Positive = 256
    """in one request"""
    max_batch: Annotated[int, Gt(0), Le(1024)] = 64
    """images in one run of a network; on a CPU fewer where the model says that more bring nothing"""
    max_wait_ms: Annotated[float, Ge(0)] = 0
    """that an image may wait for a batch to fill; 0: a batch is what came while the one before it ran"""
    max_requests: Positive = 256
    """taken at once by a worker, each with up to max_body_bytes; more are answered 429"""
    queue_size: Positive = 1024
    """images that may be in work or waiting in a worker; more are answered 429"""
    deadline_ms: Positive = 5_000
    """from the last byte of the upload to the answer; later is answered 504 and not worked on"""
    read_timeout_ms: Positive = 30_000
    """for the upload to arrive; slower is answered 408"""
    threads: Annotated[int, Ge(0)] = 0
    """of ONNX Runtime on the CPU, in each worker; 0: the workers share out the cores"""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Raises StartError that names each offending variable, its value and what is allowed."""
        known = {f"{PREFIX}{name.upper()}": name for name in cls.__dataclass_fields__}
        values = {field: environment[name] for name, field in known.items() if name in environment}
        try:
            settings = TypeAdapter(cls).validate_python(values)
        except ValidationError as error:
            raise StartError("; ".join(describe(problem) for problem in error.errors())) from error
        if settings.queue_size < settings.max_files:
            raise StartError(
                f"{PREFIX}QUEUE_SIZE is {settings.queue_size}; allowed: {PREFIX}MAX_FILES ({settings.max_files}) "
                "or more, or the largest request could never be taken"
            )
        return settings

    @classmethod
    def unknown(cls, environment: Mapping[str, str]) -> list[str]:
        """Variables with the prefix that are no setting: misspelt, or put there by a container platform."""
        known = {f"{PREFIX}{name.upper()}" for name in cls.__dataclass_fields__}
        return sorted(name for name in environment if name.startswith(PREFIX) and name not in known)


def describe(problem: ErrorDetails) -> str:
    return f"{PREFIX}{problem['loc'][0]}".upper() + f" is {problem['input']!r}: {problem['msg'].lower()}"


def load() -> Settings:
    return Settings.from_environment(os.environ)
