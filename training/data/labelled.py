"""Folders of pictures of digits, and of what is none, with their labels."""

import csv
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from training.data.dataset import DIGIT_LABELS, NOT_A_DIGIT, read_image
from training.data.upload_like import Uploads
from training.errors import TrainingError
from training.networks.contract import InputContract

LABELS_FILE = "labels.csv"

# Of the pictures that are joined to a data set, one in so many is never trained on.
HELD_OUT = 5


@dataclass(frozen=True)
class Labelled:
    """`label` is 0 to 9, or `NOT_A_DIGIT`."""

    source: str
    path: Path
    label: int


def find(root: Path) -> list[Labelled]:
    """`root/SOURCE/labels.csv` (filename,label; -1 is no digit), `root/SOURCE/LABEL/file`, or the same without SOURCE.

    Raises TrainingError where there is nothing of the kind, or a label is none.
    """
    if not root.is_dir():
        raise TrainingError(f"{root} is no folder")
    folders = [root, *sorted(path for path in root.iterdir() if path.is_dir())]
    found = [labelled for folder in folders for labelled in in_folder(folder)]
    if missing := [labelled.path for labelled in found if not labelled.path.is_file()]:
        raise TrainingError(f"{missing[0]} is listed in {LABELS_FILE} and is not there ({len(missing)} in all)")
    if not found:
        raise TrainingError(
            f"{root} holds no labelled pictures: no {LABELS_FILE} (filename,label), and no folders named 0 to 9 or -1"
        )
    return found


def in_folder(folder: Path) -> list[Labelled]:
    if (folder / LABELS_FILE).is_file():
        with (folder / LABELS_FILE).open(newline="") as file:
            rows = list(csv.DictReader(file))
        if rows and not {"filename", "label"} <= rows[0].keys():
            raise TrainingError(f"{folder / LABELS_FILE} has the columns {', '.join(rows[0])}; needed: filename, label")
        return [Labelled(folder.name, folder / row["filename"], label_of(row["label"], folder)) for row in rows]
    return [
        Labelled(folder.name, path, int(name))
        for name in (*DIGIT_LABELS, str(NOT_A_DIGIT))
        for path in sorted((folder / name).glob("*"))
        if path.is_file()
    ]


def label_of(text: str, folder: Path) -> int:
    if text not in (*DIGIT_LABELS, str(NOT_A_DIGIT)):
        raise TrainingError(f"{folder / LABELS_FILE}: label {text!r} is unknown; allowed: 0 to 9, and -1 for no digit")
    return int(text)


def parted(pictures: Sequence[Labelled]) -> tuple[list[Labelled], list[Labelled]]:
    """Those to learn, and those held out: one in `HELD_OUT`, whatever its name and place, and its copies with it."""
    held_out = [is_held_out(picture.path) for picture in pictures]
    apart = list(zip(pictures, held_out, strict=True))
    return [picture for picture, out in apart if not out], [picture for picture, out in apart if out]


def is_held_out(path: Path) -> bool:
    return int.from_bytes(hashlib.sha256(path.read_bytes()).digest()[:8]) % HELD_OUT == 0


def read(pictures: Sequence[Labelled], contract: InputContract) -> Uploads:
    """The candidates that the service's normaliser finds in the pictures."""
    # By label, so that whoever takes every other picture gets some of each.
    pictures = sorted(pictures, key=lambda picture: picture.label)
    made = [read_image(picture.path, contract, digits=True).pixels for picture in pictures]
    images = [digits for digits in made if digits is not None]
    owners = [number for number, digits in enumerate(made) for _ in (digits if digits is not None else ())]
    return Uploads(
        torch.from_numpy(np.concatenate([np.zeros((0, *contract.shape), np.uint8), *images])),
        torch.tensor(owners, dtype=torch.int64),
        torch.tensor([picture.label for picture in pictures], dtype=torch.int64),
        torch.ones(len(owners)),
    )
