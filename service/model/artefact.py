"""A model as the service sees it: a folder `exported/<name>/`, read and checked into one value."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, PositiveInt, ValidationError, model_validator

from service.errors import StartError

Precision = Literal["fp32", "int8"]

MODEL_FILES: dict[Precision, str] = {"fp32": "model.onnx", "int8": "model.int8.onnx"}


class File(BaseModel):
    sha256: str


class Input(BaseModel):
    """What the network takes, and what makes it of a picture."""

    dtype: Literal["uint8"]
    shape: tuple[str, PositiveInt, PositiveInt] | tuple[str, Literal[3], PositiveInt, PositiveInt]
    made_by: Literal["digit normaliser", "resize"] | None = None
    """None in artefacts of before there was a choice"""

    @model_validator(mode="after")
    def fits(self) -> Self:
        size = "×".join(map(str, self.shape[1:]))
        if self.shape[-1] != self.shape[-2]:
            raise ValueError(f"an image is square, or three squares, and not {size}")
        if self.made_by == "digit normaliser" and self.shape[1:] != (28, 28):
            raise ValueError(f"the digit normaliser makes 28×28, not {size}")
        return self


class Measured(BaseModel):
    accuracy: float
    n: int


class Metadata(BaseModel):
    """What the service needs of metadata.json; there is more in it for people to read."""

    schema_version: Literal[1]
    network: str
    labels: tuple[str, ...]
    input: Input
    files: dict[str, File]
    cpu_batch: PositiveInt | None = None
    """None in artefacts of before it was known"""
    reject_threshold: float
    test: Measured

    @model_validator(mode="after")
    def digits_are_numbers(self) -> Self:
        if self.input.made_by == "digit normaliser" and not all(label.isdecimal() for label in self.labels):
            raise ValueError(f"labels are {', '.join(self.labels)}; the digit normaliser is for digits")
        return self

    @property
    def reads_digits(self) -> bool:
        known = self.input.made_by
        digits = self.input.shape[1:] == (28, 28) and all(label.isdecimal() for label in self.labels)
        return known == "digit normaliser" or (known is None and digits)


@dataclass(frozen=True)
class Artefact:
    """`model` is the content of the ONNX file for `precision`, already checked against `sha256`."""

    name: str
    network: str
    labels: tuple[str, ...]
    shape: tuple[int, ...]
    """of an image as the network takes it: [side, side] in grey or [3, side, side]"""
    reads_digits: bool
    cpu_batch: int | None
    """images in one run on a CPU, beyond which it gets no faster"""
    reject_threshold: float
    test_accuracy: float
    test_images: int
    precision: Precision
    sha256: str
    model: bytes


def load_all(models_dir: Path, precisions: Sequence[Precision]) -> dict[str, Artefact]:
    """Every artefact below `models_dir`, by name, each in the first of `precisions` that it has.

    Raises StartError that names the folder and what is wrong.
    """
    if not models_dir.is_dir():
        raise StartError(f"{models_dir} is no folder; NUMERAL_MODELS_DIR must hold a folder for each model")
    folders = sorted(path.parent for path in models_dir.glob("*/metadata.json") if not path.parent.name.startswith("."))
    if not folders:
        raise StartError(f"{models_dir} holds no model: no metadata.json in any folder of it")
    return {folder.name: load(folder, *precisions) for folder in folders}


def load(folder: Path, *precisions: Precision) -> Artefact:
    """In the first of `precisions` that it has; fp32 if none is given."""
    metadata = read_metadata(folder)
    wanted = precisions or ("fp32",)
    there = (p for p in wanted if MODEL_FILES[p] in metadata.files and (folder / MODEL_FILES[p]).is_file())
    precision = next(there, wanted[0])
    file = MODEL_FILES[precision]
    files = check_files(folder, metadata.files, file)
    return Artefact(
        name=folder.name,
        network=metadata.network,
        labels=metadata.labels,
        shape=metadata.input.shape[1:],
        reads_digits=metadata.reads_digits,
        cpu_batch=metadata.cpu_batch,
        reject_threshold=metadata.reject_threshold,
        test_accuracy=metadata.test.accuracy,
        test_images=metadata.test.n,
        precision=precision,
        sha256=metadata.files[file].sha256,
        model=files[file],
    )


def read_metadata(folder: Path) -> Metadata:
    path = folder / "metadata.json"
    try:
        metadata = Metadata.model_validate_json(path.read_bytes())
    except OSError as error:
        raise StartError(f"{path} cannot be read: {error}") from error
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors())
        raise StartError(f"{path} is not what this service knows: {wrong}") from error
    return metadata


def check_files(folder: Path, listed: dict[str, File], needed: str) -> dict[str, bytes]:
    """The content of the listed files that are there (a bento leaves out TorchScript), each of the listed hash."""
    if needed not in listed:
        hint = "; NUMERAL_PRECISION may be auto or fp32" if needed == MODEL_FILES["int8"] else ""
        has = ", ".join(listed) or "none"
        raise StartError(f"{folder / 'metadata.json'}: files lists no {needed}; it has {has}{hint}")
    contents = {name: (folder / name).read_bytes() for name in listed if (folder / name).is_file()}
    if needed not in contents:
        raise StartError(f"{folder} has no {needed}")
    for name, content in contents.items():
        actual = hashlib.sha256(content).hexdigest()
        if actual != listed[name].sha256:
            raise StartError(f"{folder / name} has sha256 {actual}; its metadata.json says {listed[name].sha256}")
    return contents
