"""A run folder: recipe, environment, log and curves of one training, and the checkpoint it can go on from."""

import csv
import io
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from training.data.augment import Augmentation
from training.errors import TrainingError
from training.run.recipe import Recipe
from training.run.whole import written_whole

CHECKPOINT = "checkpoint.pt"
RECIPE = "recipe.json"

# A run that ended before its last epoch has this file, which says why.
DIVERGED = "diverged.txt"


@dataclass(frozen=True)
class EpochRow:
    """One line of log.csv. Validation is of the averaged weights, training of the weights as they changed."""

    epoch: int
    train_loss: float
    validation_loss: float
    validation_accuracy: float
    learning_rate: float
    seconds: float
    images_per_second: float
    train_accuracy: float = math.nan


def refuse_to_overwrite(run: Path) -> None:
    if (run / RECIPE).exists():
        raise TrainingError(f"{run} already holds a run; go on with --resume {run}, or choose another with --run")


def create(run: Path, recipe: Recipe, environment: dict[str, str]) -> None:
    """The recipe last: a folder with a recipe is a whole one."""
    run.mkdir(parents=True, exist_ok=True)
    write_json(run / "environment.json", environment)
    write_json(run / RECIPE, asdict(recipe))


def write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=2) + "\n")


def write_text(path: Path, text: str) -> None:
    with written_whole(path) as partial:
        partial.write_text(text)


def read_recipe(run: Path) -> Recipe:
    try:
        values = json.loads((run / RECIPE).read_text())
    except FileNotFoundError as error:
        raise TrainingError(f"{run} is no run folder: it has no {RECIPE}") from error
    return recipe_of(values)


def recipe_of(values: dict[str, Any]) -> Recipe:
    """As it was written, also by earlier versions."""
    if "schedule" not in values and values["optimizer"] == "sgd":
        values = {**values, "optimizer": "nag"}  # as it was called when there was one kind of SGD
    pixels = {name: tuple(values.get(name, ())) for name in ("pixel_mean", "pixel_std")}
    return Recipe(**{**values, **pixels, "augmentation": Augmentation(**values["augmentation"])})


def read_environment(run: Path) -> dict[str, str]:
    environment: dict[str, str] = json.loads((run / "environment.json").read_text())
    return environment


def write_log(run: Path, rows: list[EpochRow]) -> None:
    """The whole log anew: a resumed run never leaves a line twice."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(EpochRow.__dataclass_fields__), lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    write_text(run / "log.csv", text.getvalue())


def read_log(run: Path) -> list[EpochRow]:
    with (run / "log.csv").open(newline="") as file:
        return [
            EpochRow(int(line.pop("epoch")), **{k: float(v) for k, v in line.items()}) for line in csv.DictReader(file)
        ]


def save_checkpoint(run: Path, state: dict[str, Any]) -> None:
    with written_whole(run / CHECKPOINT) as partial:
        torch.save(state, partial)


def keep_weights_alone(run: Path) -> None:
    """Of a finished run: what only serves to go on with it takes several times the room."""
    state = load_checkpoint(run, torch.device("cpu"))
    if "optimizer" in state:
        save_checkpoint(run, {name: state[name] for name in ("labels", "steps", "rows", "averaged")})


def load_checkpoint(run: Path, device: torch.device) -> dict[str, Any]:
    path = run / CHECKPOINT
    if not path.exists():
        raise TrainingError(f"{run} has no {CHECKPOINT}: no epoch of it was finished")
    state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    return state


def check_labels(state: dict[str, Any], labels: tuple[str, ...]) -> None:
    """Raises TrainingError where the classes of the data are not those of the checkpoint `state`."""
    if tuple(state["labels"]) != labels:
        raise TrainingError(f"the data has the classes {', '.join(labels)}; the run has {', '.join(state['labels'])}")
