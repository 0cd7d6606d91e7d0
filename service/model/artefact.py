"""A model as the service sees it: a folder `exported/<name>/`, read and checked into one value."""

import hashlib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, PositiveInt, ValidationError, model_validator

from service.errors import StartError
from service.model import onnx_file

Precision = Literal["fp32", "int8"]

# What follows the @ in the name of a folder: several versions of a model lie and are served side by side.
VERSION = re.compile(r"[A-Za-z0-9._-]{1,32}")

METADATA = "metadata.json"
MODEL_FILES: dict[Precision, str] = {"fp32": "model.onnx", "int8": "model.int8.onnx"}


class File(BaseModel):
    sha256: str


class Input(BaseModel):
    """What the network takes, and what makes it of a picture."""

    dtype: Literal["uint8"]
    shape: tuple[str, PositiveInt, PositiveInt] | tuple[str, Literal[3], PositiveInt, PositiveInt]
    # None in artefacts of before there was a choice.
    made_by: Literal["digit normaliser", "resize"] | None = None

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


def finite(value: object) -> object:
    """Artefacts of before have NaN where nothing was accepted; what is no number cannot be told as JSON."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


Share = Annotated[float | None, BeforeValidator(finite)]


class Operating(BaseModel):
    """What a threshold would mean: the share of digits accepted (coverage), of these the share read wrong (risk), and
    the share accepted of what is no digit."""

    threshold: float
    coverage: float
    risk: float
    false_accept_rate: float | None


class Calibration(BaseModel):
    """What the threshold came to on pictures that it was not chosen on.

    None is what could not be measured, and in artefacts of before it was.
    """

    accepted_share: Share = None
    right_share: Share = None
    right_interval_95: tuple[float, float] | None = None
    false_accept_rate: Share = None
    risk_coverage: tuple[Operating, ...] | None = None


class Metadata(BaseModel):
    """What the service needs of metadata.json; there is more in it for people to read."""

    schema_version: Literal[1]
    network: str
    labels: tuple[str, ...]
    input: Input
    files: dict[str, File]
    # None in artefacts of before it was known.
    cpu_batch: PositiveInt | None = None
    reject_threshold: float
    calibration: Calibration = Calibration()
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
    name: str
    network: str
    labels: tuple[str, ...]
    # Of an image as the network takes it: [side, side] in grey or [3, side, side].
    shape: tuple[int, ...]
    reads_digits: bool
    # Images in one run on a CPU, beyond which it gets no faster.
    cpu_batch: int | None
    reject_threshold: float
    calibration: Calibration
    test_accuracy: float
    test_images: int
    precision: Precision
    # Of the ONNX file for `precision`.
    path: Path
    sha256: str

    def is_same(self, other: "Artefact") -> bool:
        """Wherever it lies."""
        return replace(self, path=other.path) == other

    def read_model(self) -> bytes:
        """The ONNX file. Raises StartError where it is not the one of `sha256`, or asks for what is not allowed."""
        content = read_file(self.path, self.sha256)
        onnx_file.check(content, self.path)
        return content


def load_all(models_dir: Path, precisions: Sequence[Precision]) -> dict[str, Artefact]:
    """Every artefact below `models_dir`, by name, each in the first of `precisions` that it has.

    Raises StartError that names the folder and what is wrong.
    """
    return {name: load(folder, *precisions) for name, folder in find_folders(models_dir).items()}


def find_folders(models_dir: Path) -> dict[str, Path]:
    """That hold a model, by its name; at least one. Nothing of them is read."""
    if not models_dir.is_dir():
        raise StartError(f"{models_dir} is no folder; NUMERAL_MODELS_DIR must hold a folder for each model")
    folders = sorted(path.parent for path in models_dir.glob("*/metadata.json") if not path.parent.name.startswith("."))
    if not folders:
        raise StartError(f"{models_dir} holds no model: no metadata.json in any folder of it")
    for folder in folders:
        check_version(folder)
    return {folder.name: folder for folder in folders}


def check_version(folder: Path) -> None:
    _, at, version = folder.name.partition("@")
    if at and not VERSION.fullmatch(version):
        raise StartError(f"{folder} has {version!r} for a version; allowed: 1 to 32 of A-Z, a-z, 0-9, '.', '_' and '-'")


def load(folder: Path, *precisions: Precision) -> Artefact:
    """In the first of `precisions` that it has; fp32 if none is given. All its files are checked."""
    metadata = read_metadata(folder)
    wanted = precisions or ("fp32",)
    there = (p for p in wanted if MODEL_FILES[p] in metadata.files and (folder / MODEL_FILES[p]).is_file())
    precision = next(there, wanted[0])
    file = MODEL_FILES[precision]
    check_files(folder, metadata.files, file)
    return Artefact(
        name=folder.name,
        network=metadata.network,
        labels=metadata.labels,
        shape=metadata.input.shape[1:],
        reads_digits=metadata.reads_digits,
        cpu_batch=metadata.cpu_batch,
        reject_threshold=metadata.reject_threshold,
        calibration=metadata.calibration,
        test_accuracy=metadata.test.accuracy,
        test_images=metadata.test.n,
        precision=precision,
        path=folder / file,
        sha256=metadata.files[file].sha256,
    )


def read_metadata(folder: Path) -> Metadata:
    path = folder / METADATA
    try:
        metadata = Metadata.model_validate_json(path.read_bytes())
    except OSError as error:
        raise StartError(f"{path} cannot be read: {error}") from error
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors())
        raise StartError(f"{path} is not what this service knows: {wrong}") from error
    return metadata


def check_files(folder: Path, listed: dict[str, File], needed: str) -> None:
    """Raises StartError unless `needed` is there, and each listed file that is (a bento leaves out TorchScript) is of
    the listed hash."""
    if needed not in listed:
        hint = "; NUMERAL_PRECISION may be auto or fp32" if needed == MODEL_FILES["int8"] else ""
        has = ", ".join(listed) or "none"
        raise StartError(f"{folder / METADATA}: files lists no {needed}; it has {has}{hint}")
    if not (folder / needed).is_file():
        raise StartError(f"{folder} has no {needed}")
    for name, file in listed.items():
        if (folder / name).is_file():
            read_file(folder / name, file.sha256)


def read_file(path: Path, sha256: str) -> bytes:
    content = path.read_bytes()
    actual = hashlib.sha256(content).hexdigest()
    if actual != sha256:
        raise StartError(f"{path} has sha256 {actual}; its metadata.json says {sha256}")
    return content
