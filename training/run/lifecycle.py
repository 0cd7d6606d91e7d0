"""The life of a run around its epochs: begun once, gone on with after a kill, and left with its pictures."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from training.data.dataset import Dataset, load_dataset
from training.errors import Diverged, Lost, TrainingError
from training.run import hardware, plots, ranks, run_folder
from training.run.live import Live
from training.run.predict import predict
from training.run.recipe import Recipe
from training.run.run_folder import EpochRow
from training.run.state import Training
from training.run.trained import load_classifier

CONFUSION = "confusion.png"


@dataclass(frozen=True)
class Way:
    """How weights come about. start: gives a new run those that its recipe names; train: runs the epochs that are left,
    a checkpoint after each, in the run's folder."""

    start: Callable[[Training], None]
    train: Callable[[Training, Path], None]


@dataclass(frozen=True)
class Place:
    """What does not decide the weights."""

    data_dir: Path = Path("data")
    """where data sets are read from, and downloaded to if they are not there"""
    device: hardware.DeviceChoice = "auto"
    tensorboard: bool = False
    """write curves that TensorBoard shows while the run trains"""


def load_data(recipe: Recipe, place: Place) -> Dataset:
    dataset = load_dataset(recipe.data, place.data_dir, recipe.contract)
    if recipe.validate_on_test:
        dataset = replace(dataset, train=dataset.train + dataset.validation, validation=dataset.test)
    return dataset


def begin(recipe: Recipe, folder: Path, place: Place, way: Way) -> None:
    """Raises TrainingError where `folder` holds a run already."""
    run_folder.refuse_to_overwrite(folder)
    finish(recipe, folder, place, way)


def resume(folder: Path, place: Place, way: Way) -> None:
    recipe = run_folder.read_recipe(folder)
    rows = finish(recipe, folder, place, way)
    print(f"{folder}: {len(rows)} of {recipe.epochs} epochs are finished")


def finish(recipe: Recipe, folder: Path, place: Place, way: Way, dataset: Dataset | None = None) -> list[EpochRow]:
    """Begins the run, goes on with it, or finds it finished. Raises TrainingError where `folder` holds another.

    Raises Diverged where the run diverges, or did so before: with the same recipe and data it would again.
    """
    on = hardware.pick(place.device)
    refuse_another(recipe, folder)
    state = run_folder.load_checkpoint(folder, on) if (folder / run_folder.CHECKPOINT).exists() else None
    with readable_failures(folder):
        if state and len(state["rows"]) == recipe.epochs:
            return found_finished(state, folder, lambda: dataset or load_data(recipe, place), on)
        dataset = dataset or ranks.of_first(lambda: load_data(recipe, place))
        training = opened(recipe, folder, place, way, dataset, state)
        with divergence_noted(folder):
            way.train(training, folder)
        if ranks.is_first():
            save_pictures(folder, dataset, on)
    return training.rows


def finish_or_diverge(
    recipe: Recipe, folder: Path, place: Place, way: Way, dataset: Dataset | None = None
) -> list[EpochRow]:
    """The epochs that were finished: all, or those before the loss was no longer a number, which is printed."""
    try:
        return finish(recipe, folder, place, way, dataset)
    except Diverged as error:
        print(error)
        return run_folder.read_log(folder)


def refuse_another(recipe: Recipe, folder: Path) -> None:
    """Raises TrainingError where `folder` holds a run of another recipe, and Diverged where it holds one that did."""
    if (folder / run_folder.RECIPE).exists() and run_folder.read_recipe(folder) != recipe:
        raise TrainingError(f"{folder} holds a run of another recipe; remove it, or choose another place with --out")
    if (diverged := folder / run_folder.DIVERGED).exists():
        raise Diverged(f"{diverged.read_text().strip()} ({diverged} says so; to train on all the same, remove it)")


def found_finished(
    state: dict[str, Any], folder: Path, load: Callable[[], Dataset], on: torch.device
) -> list[EpochRow]:
    """What a kill kept from being written is written: the last line of the log, the pictures."""
    rows = [EpochRow(**row) for row in state["rows"]]
    if ranks.is_first():
        run_folder.write_log(folder, rows)
        if not (folder / CONFUSION).exists():
            save_pictures(folder, load(), on)
    return rows


def opened(
    recipe: Recipe, folder: Path, place: Place, way: Way, dataset: Dataset, state: dict[str, Any] | None
) -> Training:
    """A new run, whose folder is made, or the one of the checkpoint `state`."""
    on = hardware.pick(place.device)
    training = Training(recipe, dataset, on)
    if state:
        training.load(state)
    elif recipe.start_from:
        way.start(training)
    # All have looked whether there is a run.
    ranks.wait()
    if ranks.is_first() and not (folder / run_folder.RECIPE).exists():
        run_folder.create(folder, recipe, environment(on))
    training.live = Live(folder, recipe.judged_on) if place.tensorboard else None
    return training


def environment(on: torch.device) -> dict[str, str]:
    """How many processes there are is in the last bits of the weights."""
    beside = {"processes": str(ranks.count())} if ranks.count() > 1 else {}
    return {**hardware.environment(on), **beside}


@contextlib.contextmanager
def divergence_noted(folder: Path) -> Iterator[None]:
    """So that the run is not trained again in vain."""
    try:
        yield
    except Diverged as error:
        if ranks.is_first():
            run_folder.write_text(folder / run_folder.DIVERGED, f"{error}\n")
        raise


def save_pictures(folder: Path, dataset: Dataset, on: torch.device) -> None:
    """Of a finished run. The confusion matrix comes last: where it is there, so are the curves."""
    split = run_folder.read_recipe(folder).judged_on
    plots.save_curves(run_folder.read_log(folder), split, folder / "curves.png")
    validation = dataset.validation.to(on)
    predictions = predict(load_classifier(folder, dataset.labels, on), validation.images).argmax(dim=1)
    plots.save_confusion(validation.labels, predictions, dataset.labels, f"{split} split", folder / CONFUSION)


@contextlib.contextmanager
def readable_failures(folder: Path) -> Iterator[None]:
    """Turns running out of memory, Ctrl-C and the end of another process into one line that says what is kept."""
    try:
        yield
    except Lost as error:
        raise Lost(f"{error}; {what_is_kept(folder)}") from error
    except (MemoryError, RuntimeError) as error:  # torch's own class is a RuntimeError, and the CPU's has no class
        if ranks.is_lost(error):
            raise Lost(f"another process of this run has ended; {what_is_kept(folder)}") from error
        if not is_out_of_memory(error):
            raise
        raise TrainingError(
            f"out of memory: {next(iter(str(error).splitlines()), '')} Begin another run with a lower --batch-size"
        ) from error
    except KeyboardInterrupt:
        sys.exit(f"\nstopped; {what_is_kept(folder)}" if ranks.is_first() else 1)


def what_is_kept(folder: Path) -> str:
    if not (folder / run_folder.RECIPE).exists():
        return "the run had not begun: there is nothing to go on with"
    finished = (folder / run_folder.CHECKPOINT).exists()
    kept = "the last finished epoch is kept" if finished else "no epoch was finished"
    return f"{kept} in {folder}; go on with: python -m training.train --resume {folder}"


def is_out_of_memory(error: Exception) -> bool:
    known = isinstance(error, (MemoryError, torch.OutOfMemoryError))
    return known or "can't allocate memory" in str(error) or "not enough memory" in str(error)
