"""Exports a finished run: `python -m training.export RUN exported/googlenet`.

Writes `model.onnx`, `model.int8.onnx`, `model.pt` (TorchScript) and `metadata.json` into a temporary folder, proves
that they answer as the trained network does on the test split, and only then renames the folder into place: an
artefact that exists is one that agreed. An int8 file that answers otherwise too often is left out; then fp32 is served.
"""

import dataclasses
import hashlib
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx_ir
import torch
import tyro
from torch import Tensor

from training.artefact import into_place, onnx_file, torchscript
from training.artefact.calibration import Calibration, Fitted, Read, calibrate
from training.artefact.graph import ServedGraph
from training.artefact.parity import (
    ATOL,
    BATCHES,
    INT8_AGREEMENT,
    RTOL,
    Int8Parity,
    Parity,
    compare_int8,
    onnx_outputs,
    prove,
)
from training.artefact.quantise import quantise
from training.artefact.unfold import METADATA, is_artefact
from training.data import labelled, upload_like
from training.data.dataset import Dataset, are_digits, load_dataset
from training.data.upload_like import Uploads
from training.errors import TrainingError
from training.judge.accuracy import Accuracy
from training.networks import NETWORKS
from training.run import hardware, run_folder
from training.run.predict import predict
from training.run.recipe import Recipe
from training.run.trained import load_classifier

SCHEMA_VERSION = 1

# The ranges of int8 are measured on so many images of each of two kinds.
RANGE_IMAGES = 500
FILES = ("model.onnx", "model.int8.onnx", "model.pt")

# What metadata says that temperature and threshold were fitted on, where it is pictures that people took.
UPLOADS = "uploads"


@dataclass(frozen=True)
class Arguments:
    run: tyro.conf.Positional[Path]
    """the folder of a finished run"""
    target: tyro.conf.Positional[Path]
    """the artefact's folder"""
    data_dir: Path = Path("data")
    replace: bool = False
    """put it in the place of an artefact that is there, unasked"""
    uploads: Path | None = None
    """a folder of labelled pictures, none of them trained on, for temperature and threshold to be fitted on. Without
    it they are fitted on uploads made by code, or kept where the run began with a model fitted on people's pictures"""


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def accuracy(logits: Tensor, labels: Tensor) -> Accuracy:
    return Accuracy(int((logits.argmax(dim=1) == labels).sum()), len(labels))


def as_json(measured: Accuracy) -> dict[str, Any]:
    return {"accuracy": measured.share, "n": measured.count, "interval_95": measured.interval}


def calibration_images(arguments: Arguments, recipe: Recipe, dataset: Dataset) -> Uploads:
    """What temperature and threshold are fitted on, or measured on where they are kept: uploads where the network
    learned what is no digit.

    A network that has trained on the validation split is sure of it; then it is the test split, for want of another.
    """
    if arguments.uploads and not are_digits(dataset.labels, recipe.contract):
        raise TrainingError(
            f"uploads is {arguments.uploads}; that is for digits, and {recipe.network} reads {recipe.data}"
        )
    if arguments.uploads:
        return labelled.read(labelled.find(arguments.uploads), recipe.contract)
    if recipe.validate_on_test:
        return upload_like.of_split(dataset.test)
    return (
        upload_like.held_out(dataset, recipe.fonts) if recipe.not_digits else upload_like.of_split(dataset.validation)
    )


def kept_from_the_start(arguments: Arguments, recipe: Recipe) -> Fitted | None:
    """Of the artefact that the run began with, where it was fitted on pictures and none are given here.

    What code makes is harder than most pictures: a threshold fitted on it accepts fewer of them.
    """
    folder = Path(recipe.start_from)
    if arguments.uploads or not recipe.start_from or not is_artefact(folder):
        return None
    metadata = json.loads((folder / METADATA).read_text())
    if metadata.get("calibration", {}).get("split") != UPLOADS:
        return None
    return Fitted(metadata["temperature"], metadata["reject_threshold"])


def quantisation_images(held_out: Uploads, dataset: Dataset) -> Tensor:
    """Half training images as they are, half what calibration sees, so that neither kind leaves the range."""
    some = torch.linspace(0, len(held_out.candidates) - 1, RANGE_IMAGES).long()
    return torch.cat([dataset.train.images[:RANGE_IMAGES], held_out.candidates[some]])


@dataclass(frozen=True)
class Measured:
    """`test` is measured through ONNX, `validation` with the network as it was trained."""

    calibration: Calibration
    validation: Accuracy
    test: Accuracy
    parity: Parity
    int8: Int8Parity


def write_artefact(arguments: Arguments, recipe: Recipe, dataset: Dataset, folder: Path) -> None:
    """Raises TrainingError where the files do not agree with the network of the run."""
    run = arguments.run
    kept = kept_from_the_start(arguments, recipe)
    measured = write_models(run, recipe, dataset, calibration_images(arguments, recipe, dataset), kept, folder)
    fitted_on = UPLOADS if arguments.uploads or kept else recipe.judged_on
    metadata = metadata_of(run, recipe, dataset, folder, measured, fitted_on)
    if kept:
        metadata["calibration"] |= {"kept_from": recipe.start_from, "measured_on": recipe.judged_on}
        print(f"temperature and threshold are those of {recipe.start_from}, which were fitted on pictures")
    run_folder.write_json(folder / METADATA, metadata)
    error = measured.parity.max_error
    print(f"test split of {recipe.data}, through ONNX: {measured.test}; parity: logits differ by at most {error:.2g}")


def write_models(
    run: Path, recipe: Recipe, dataset: Dataset, held_out: Uploads, kept: Fitted | None, folder: Path
) -> Measured:
    """The files of the network, proved to agree with it; int8 may be left out. `held_out` calibrates it, or measures
    the calibration that is `kept`."""
    classifier = load_classifier(run, dataset.labels, torch.device("cpu"))
    validation = accuracy(predict(classifier, dataset.validation.images), dataset.validation.labels)
    read = Read(predict(classifier, held_out.candidates), held_out.owners, held_out.labels)
    calibration = calibrate(read, kept)

    graph = ServedGraph(classifier, calibration.temperature).eval()
    example = dataset.validation.images[:2]
    torchscript.write(graph, example, folder / "model.pt")
    onnx_file.write(graph, example, ["probabilities", "logits"], folder / "model.onnx")
    parity = prove(classifier, calibration.temperature, folder, dataset.test.images)
    _, logits = onnx_outputs(folder / "model.onnx", dataset.test.images.numpy())
    test = accuracy(torch.from_numpy(logits), dataset.test.labels)
    quantise(folder / "model.onnx", quantisation_images(held_out, dataset), folder / "model.int8.onnx")
    int8 = compare_int8(folder, dataset.test)
    leave_out_unless_it_agrees(folder / "model.int8.onnx", int8)
    return Measured(calibration, validation, test, parity, int8)


def leave_out_unless_it_agrees(model: Path, int8: Int8Parity) -> None:
    if not int8.agrees:
        model.unlink()
        print(
            f"{model.name} is left out: it answers as fp32 does on {int8.agreement:.2%} of {int8.images} images; "
            f"needed: {INT8_AGREEMENT:.1%}"
        )


def metadata_of(
    run: Path, recipe: Recipe, dataset: Dataset, folder: Path, measured: Measured, fitted_on: str
) -> dict[str, Any]:
    """What the service reads, and how the files in `folder` came to be."""
    return {
        "schema_version": SCHEMA_VERSION,
        "network": recipe.network,
        "labels": dataset.labels,
        "input": {
            "name": "images",
            "shape": ["batch", *recipe.contract.shape],
            "dtype": "uint8",
            "made_by": "digit normaliser" if are_digits(dataset.labels, recipe.contract) else "resize",
        },
        "files": {name: {"sha256": sha256(folder / name)} for name in files_of(measured.int8)},
        "cpu_batch": NETWORKS[recipe.network].cpu_batch,
        "opset": onnx_ir.load(folder / "model.onnx").opset_imports[""],
        "temperature": measured.calibration.temperature,
        "reject_threshold": measured.calibration.reject_threshold,
        "calibration": {"split": fitted_on, **dataclasses.asdict(measured.calibration)},
        "test": as_json(measured.test),
        "validation": None if recipe.validate_on_test else as_json(measured.validation),
        "parity": {
            "images": measured.parity.images,
            "batches": BATCHES,
            "max_error": measured.parity.max_error,
            "rtol": RTOL,
            "atol": ATOL,
        },
        "int8": {**dataclasses.asdict(measured.int8), "left_out": not measured.int8.agrees},
        "recipe": dataclasses.asdict(recipe),
        "seed": recipe.seed,
        "training": training_of(run),
        "export": hardware.versions(),
    }


def files_of(int8: Int8Parity) -> list[str]:
    return [name for name in FILES if int8.agrees or name != "model.int8.onnx"]


def training_of(run: Path) -> dict[str, Any]:
    rows = run_folder.read_log(run)
    return {
        **run_folder.read_environment(run),
        "seconds": round(sum(row.seconds for row in rows), 1),
        "images_per_second": round(sum(row.images_per_second for row in rows) / len(rows)),
    }


def export(arguments: Arguments) -> None:
    target = arguments.target
    into_place.refuse_unless_asked(target, arguments.replace)
    recipe = run_folder.read_recipe(arguments.run)
    dataset = load_dataset(recipe.data, arguments.data_dir, recipe.contract)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as temporary:
        folder = Path(temporary) / target.name
        folder.mkdir()
        write_artefact(arguments, recipe, dataset, folder)
        print(f"{target}: {into_place.acceptance(folder)}")
        into_place.put(folder, target, arguments.replace)
    print(f"wrote {target}")


def main(arguments: list[str] | None = None) -> None:
    try:
        export(tyro.cli(Arguments, prog="python -m training.export", description=__doc__, args=arguments))
    except TrainingError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
