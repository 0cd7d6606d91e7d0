"""Digits of other data sets, read by an exported model: `python -m training.compare.cross_domain exported/googlenet`.

Each set is read twice: as the service reads uploads, and as the literature on domain generalisation does, where every
image is resized to what the network takes, and nothing more. No model here was trained on any of them.
"""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import tyro
from PIL import Image
from sklearn.datasets import load_digits
from torchvision import datasets

from service.picture.normalise import normalise
from service.picture.resize import resize
from training.artefact.calibration import Read
from training.artefact.parity import onnx_outputs
from training.errors import TrainingError
from training.judge.accuracy import Accuracy

# Test accuracy in %, resized, of networks that were trained on 10,000 images of MNIST, from the table of Pro-RandConv
# (Choi et al. 2023): plain training, RandConv, Pro-RandConv.
PUBLISHED = {"usps": "78.2, 85.3, 93.7"}


class Picture(NamedTuple):
    image: Image.Image
    label: int


def uci(_: Path) -> Iterator[Picture]:
    """UCI's Optical Recognition of Handwritten Digits, its 1,797 test images of 8×8, which come with scikit-learn."""
    pixels, labels = load_digits(return_X_y=True)
    for image, label in zip(pixels.reshape(-1, 8, 8), labels.tolist(), strict=True):
        yield Picture(Image.fromarray((image * 15.9375).astype(np.uint8)), label)


def usps(data_dir: Path) -> Iterator[Picture]:
    """The 2,007 test images of 16×16 (Hull 1994)."""
    yield from map(Picture._make, datasets.USPS(str(data_dir), train=False, download=True))


def svhn(data_dir: Path) -> Iterator[Picture]:
    """The 26,032 test images of 32×32 in colour (Netzer et al. 2011)."""
    yield from map(Picture._make, datasets.SVHN(str(data_dir), split="test", download=True))


SETS: dict[str, Callable[[Path], Iterator[Picture]]] = {"uci-8x8": uci, "usps": usps, "svhn": svhn}


@dataclass(frozen=True)
class Arguments:
    model: tyro.conf.Positional[Path]
    """an artefact's folder; its fp32 file is asked"""
    sets: tuple[str, ...] = tuple(SETS)
    """of uci-8x8, usps, svhn; the last two are downloaded where data_dir does not hold them"""
    data_dir: Path = Path("data")


def pictures_of(name: str, data_dir: Path) -> list[Picture]:
    """Raises TrainingError where the set cannot be had."""
    try:
        return list(SETS[name](data_dir))
    except (RuntimeError, OSError) as error:
        reason = " ".join(str(error).split())
        raise TrainingError(f"{name} is not in {data_dir} and cannot be downloaded: {reason}") from error


def as_uploads(pictures: list[Picture], model: Path) -> Accuracy:
    """What is refused unread counts as wrong."""
    made = [normalise(picture.image).digits for picture in pictures]
    owners = [number for number, digits in enumerate(made) for _ in (digits if digits is not None else ())]
    candidates = np.concatenate([digits for digits in made if digits is not None] or [np.zeros((0, 28, 28), np.uint8)])
    return accuracy_of(candidates, torch.tensor(owners, dtype=torch.int64), pictures, model)


def resized(pictures: list[Picture], model: Path) -> Accuracy:
    images = np.stack([resize(picture.image, (28, 28)) for picture in pictures])
    return accuracy_of(images, torch.arange(len(images)), pictures, model)


def accuracy_of(images: np.ndarray, owners: torch.Tensor, pictures: list[Picture], model: Path) -> Accuracy:
    labels = torch.tensor([picture.label for picture in pictures])
    _, logits = onnx_outputs(model / "model.onnx", images)
    read = Read(torch.from_numpy(logits), owners, labels)
    temperature = json.loads((model / "metadata.json").read_text())["temperature"]
    right = (read.probabilities(temperature).argmax(dim=1) == labels) & read.seen
    return Accuracy(int(right.sum()), len(labels))


def report(arguments: Arguments) -> None:
    """A set that cannot be had is named, and the others are read all the same.

    Raises TrainingError where a set is unknown, or there is no model.
    """
    if unknown := set(arguments.sets) - set(SETS):
        raise TrainingError(f"set {min(unknown)!r} is unknown; known: {', '.join(SETS)}")
    if not (arguments.model / "metadata.json").is_file():
        raise TrainingError(f"{arguments.model} is no exported model: it has no metadata.json")
    for name in arguments.sets:
        try:
            pictures = pictures_of(name, arguments.data_dir)
        except TrainingError as error:
            print(error)
            continue
        print(f"{name}, as uploads: {as_uploads(pictures, arguments.model)}")
        published = f"; published: {PUBLISHED[name]} %" if name in PUBLISHED else ""
        print(f"{name}, resized: {resized(pictures, arguments.model)}{published}")


def main(arguments: list[str] | None = None) -> None:
    try:
        report(tyro.cli(Arguments, prog="python -m training.compare.cross_domain", description=__doc__, args=arguments))
    except TrainingError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
