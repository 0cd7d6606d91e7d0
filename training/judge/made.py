"""Pictures made by code to judge a service by, of kinds that few have at hand: `python -m training.judge.made DIR`.

A folder for each kind, with a labels.csv, as `training.evaluate --uploads DIR` takes them. The digits are MNIST's, of
the validation split; those of the test split are for the end.
"""

import csv
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import tyro
from numpy.random import Generator
from PIL import Image

from training.data.dataset import Split, load_dataset
from training.data.scene import Conditions, Margins, margins
from training.data.scenes import LabelledScene, Sources, digit_scene
from training.errors import TrainingError
from training.networks import NETWORKS

# It never changes, so that the pictures are the same for every service.
SEED = 20_260_002

CLEAN = Conditions(
    ruled=0,
    framed=0,
    edge=0,
    neighbours=0,
    text=0,
    specks=0,
    hole=0,
    contrast=(40, 200),
    blur=(0.1, 0.4),
    shaken=0,
    one_bit=0,
    noise=3,
)

# Pixels of the longer side from which a digit that is blurred so can be told by eye: enlarged on a screen, of 96 from
# here on 91 were read, of 48 of 16 to 19 pixels 36, of 14 and 15 pixels 27, and of 11 a third.
LEGIBLE = 20

# Pixels a side of a digit that was cut out by its bounding box.
CROP = 16


@dataclass(frozen=True)
class Arguments:
    target: tyro.conf.Positional[Path]
    split: Literal["validation", "test"] = "validation"
    count: int = 1_000
    """pictures of each kind"""
    data: str = "mnist"
    """mnist, or sample"""
    data_dir: Path = Path("data")


def around_some(rng: Generator) -> Margins:
    """Cut out by hand."""
    return Margins(*rng.uniform(0.1, 0.8, 4))


def around_much(rng: Generator) -> Margins:
    """The digit takes 6 to 15 % of the longer side of a strip of a page."""
    room = 1 / rng.uniform(0.06, 0.15) - 1
    along, across = rng.uniform(0.15, 0.85), rng.uniform(0.3, 3, 2)
    sides = (*across, along * room, (1 - along) * room)
    return Margins(*sides) if rng.random() < 0.5 else Margins(*sides[2:], *sides[:2])


def crop(split: Split, rng: Generator) -> tuple[np.ndarray, int]:
    """Cut out by its bounding box and scaled to 16×16, ink on all four borders, light on dark or dark on light."""
    which = int(rng.integers(len(split)))
    digit = split.images[which].numpy()
    rows, columns = np.flatnonzero(digit.max(axis=1)), np.flatnonzero(digit.max(axis=0))
    box = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    small = np.asarray(Image.fromarray(digit).crop(box).resize((CROP, CROP), Image.Resampling.BILINEAR))
    return (small if rng.random() < 0.5 else 255 - small), int(split.labels[which])


Kind = tuple[Callable[[Generator], Margins], Conditions]

KINDS: dict[str, Kind] = {
    "squared paper": (around_some, replace(CLEAN, ruled=1, squared=1)),
    "ruled paper": (around_some, replace(CLEAN, ruled=1, squared=0)),
    "faint pencil": (around_some, replace(CLEAN, contrast=(9, 25))),
    "blur": (around_some, replace(CLEAN, blurred=1, blur=(0.5, 0.75), smallest=LEGIBLE)),
    "strip": (around_much, replace(CLEAN, edge=1, largest=480)),
    "anything": (margins, Conditions()),
}


def picture(kind: str, sources: Sources, rng: Generator) -> tuple[np.ndarray, int]:
    if kind == "crop":
        return crop(sources.pieces, rng)
    made: LabelledScene = digit_scene(sources, rng, *KINDS[kind])
    return made.scene.picture, made.label


def write(kind: str, number: int, sources: Sources, arguments: Arguments) -> None:
    folder = arguments.target / kind.replace(" ", "-")
    folder.mkdir(parents=True)
    rng = np.random.default_rng([SEED, number, arguments.split == "test"])
    with (folder / "labels.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("filename", "label"))
        for which in range(arguments.count):
            pixels, label = picture(kind, sources, rng)
            name = f"{which:0{math.ceil(math.log10(arguments.count + 1))}}.png"
            Image.fromarray(pixels).save(folder / name)
            rows.writerow((name, label))


def make(arguments: Arguments) -> None:
    if arguments.target.exists():
        raise TrainingError(f"{arguments.target} is there already; name a new folder")
    dataset = load_dataset(arguments.data, arguments.data_dir, NETWORKS["googlenet"].contract)
    pieces = dataset.test if arguments.split == "test" else dataset.validation
    sources = Sources(pieces, held_out=True, share_of_pieces=1.0)
    for number, kind in enumerate(("crop", *KINDS)):
        write(kind, number, sources, arguments)
    print(f"wrote {arguments.count} pictures of each of {1 + len(KINDS)} kinds to {arguments.target}")


def main(arguments: list[str] | None = None) -> None:
    try:
        make(tyro.cli(Arguments, prog="python -m training.judge.made", description=__doc__, args=arguments))
    except TrainingError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
