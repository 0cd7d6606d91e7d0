"""Trains a network by a recipe: `python -m training.train --recipe googlenet`.

One-cycle schedule (Smith and Topin 2018), label smoothing, moving average of the weights; the averaged weights are
validated and exported. The randomness of an epoch is a function of (seed, epoch) alone, so a run that was killed
and resumed ends with the weights of one that was not (bit for bit on a CPU; CUDA kernels may differ in the last bits).
"""

import argparse
import contextlib
import math
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
import tyro
from torch import Generator, Tensor
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from training.data import synthesis
from training.data.augment import augment
from training.data.crop import crop_and_flip
from training.data.dataset import NOT_A_DIGIT, Dataset, Split, are_digits, load_dataset
from training.errors import TrainingError
from training.networks.classifier import Classifier
from training.run import hardware, optimizers, plots, run_folder
from training.run.live import POINTS_PER_EPOCH, Live
from training.run.predict import predict
from training.run.recipe import RECIPES, Recipe
from training.run.trained import load_classifier

LEAST_STEPS = 10
CONFUSION = "confusion.png"


class Diverged(TrainingError):
    """The loss is no longer a number."""


@dataclass(frozen=True)
class Place:
    """What does not decide the weights."""

    data_dir: Path = Path("data")
    """where data sets are read from, and downloaded to if they are not there"""
    device: hardware.DeviceChoice = "auto"
    tensorboard: bool = False
    """write curves that TensorBoard shows while the run trains"""


@dataclass(frozen=True)
class NewRun:
    recipe: tyro.conf.OmitArgPrefixes[Recipe]
    place: tyro.conf.OmitArgPrefixes[Place] = field(default_factory=Place)
    run: Path | None = None
    """the folder of the run; runs/RECIPE-seedN if not given"""


class Training:
    """The state of a run between two epochs."""

    def __init__(self, recipe: Recipe, dataset: Dataset, on: torch.device) -> None:
        self.recipe = recipe
        self.labels = dataset.labels
        self.images = training_images(recipe, dataset).to(on)
        self.validation = dataset.validation.to(on)
        self.device = on
        self.rows: list[run_folder.EpochRow] = []
        self.live: Live | None = None

        torch.manual_seed(recipe.seed)
        classifier = Classifier(recipe.network, len(dataset.labels), recipe.contract)
        self.model = classifier.to(on).to(memory_format=torch.channels_last)
        self.batch_size = min(recipe.batch_size, len(self.images))
        self.steps = len(self.images) // self.batch_size
        if recipe.schedule == "one-cycle" and recipe.epochs * self.steps < LEAST_STEPS:
            raise TrainingError(
                f"{recipe.epochs} epochs of {self.steps} batches are {recipe.epochs * self.steps} steps; "
                f"a schedule needs {LEAST_STEPS} or more: raise epochs, or lower batch_size ({self.batch_size})"
            )
        decay = math.exp(-1 / (recipe.ema_epochs * self.steps)) if recipe.ema_epochs else 0.0
        self.averaged = AveragedModel(self.model, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)
        self.optimizer = optimizers.build(
            recipe.optimizer, self.model, recipe.learning_rate, recipe.weight_decay, recipe.decay_biases
        )
        self.schedule = optimizers.schedule(
            recipe.schedule, self.optimizer, recipe.optimizer, recipe.learning_rate, recipe.epochs * self.steps
        )
        # On a CPU compiling takes a minute and the compiled step is a quarter slower (measured, torch 2.15).
        self.forward: Callable[[Tensor], Tensor] = torch.compile(self.model) if on.type == "cuda" else self.model

    def start_with(self, classifier: Classifier) -> None:
        """Raises TrainingError where it is of another network."""
        try:
            self.model.load_state_dict(classifier.state_dict())
        except RuntimeError as error:
            raise TrainingError(f"{self.recipe.start_from} is no run of {self.recipe.network}") from error
        self.averaged.module.load_state_dict(classifier.state_dict())

    @property
    def epoch(self) -> int:
        """How many epochs are finished."""
        return len(self.rows)

    def state(self) -> dict[str, Any]:
        return {
            "labels": list(self.labels),
            "steps": self.steps,
            "rows": [asdict(row) for row in self.rows],
            "model": self.model.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Raises TrainingError where the data set is no longer the one that `state` was trained on."""
        run_folder.check_labels(state, self.labels)
        if state["steps"] != self.steps:
            raise TrainingError(
                f"the data gives {self.steps} batches an epoch, the run was begun with {state['steps']}; "
                "a run can only go on with the data it began with"
            )
        self.rows = [run_folder.EpochRow(**row) for row in state["rows"]]
        try:
            self.model.load_state_dict(state["model"])
        except RuntimeError as error:
            raise TrainingError(
                f"the run was begun with another {self.recipe.network} than this version has"
            ) from error
        self.averaged.load_state_dict(state["averaged"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])


def training_images(recipe: Recipe, dataset: Dataset) -> Split:
    """Those of the data set, and the synthesised ones that the recipe asks for.

    Raises TrainingError where it asks for digits and the classes of the data set are others.
    """
    if (recipe.written_digits or recipe.not_digits) and not are_digits(dataset.labels, recipe.contract):
        raise TrainingError(
            f"written_digits is {recipe.written_digits} and not_digits {recipe.not_digits}; they are for digits, "
            f"and {recipe.network} is to read {recipe.data}: set both to 0"
        )
    images = dataset.train
    if recipe.images:
        images = images.take(torch.arange(min(recipe.images, len(images))))
    if recipe.written_digits:
        images = images + synthesis.digits(recipe.written_digits, recipe.seed)
    if recipe.not_digits:
        images = images + synthesis.not_digits(recipe.not_digits, recipe.seed, dataset.train)
    return images


def loss_of(logits: Tensor, labels: Tensor, smoothing: float) -> Tensor:
    """Mean cross entropy; what belongs to no class shall be given to all alike (Hendrycks et al. 2019)."""
    classes = logits.shape[1]
    known = F.one_hot(labels.clamp(min=0), classes) * (labels != NOT_A_DIGIT)[:, None]
    targets = torch.where((labels == NOT_A_DIGIT)[:, None], 1 / classes, known.to(logits.dtype))
    return F.cross_entropy(logits, targets, label_smoothing=smoothing)


def epoch_batches(training: Training) -> Iterator[tuple[Tensor, Tensor]]:
    """Augmented images and labels of one epoch, in an order that only (seed, epoch) decides."""
    generator = Generator(training.device).manual_seed(training.recipe.seed * 1_000_003 + training.epoch)
    order = torch.randperm(len(training.images), generator=generator, device=training.device)
    for step in range(training.steps):
        batch = training.images.take(order[step * training.batch_size : (step + 1) * training.batch_size])
        cropped = crop_and_flip(batch.images, training.recipe.crop, training.recipe.flip, generator)
        yield augment(cropped, training.recipe.augmentation, generator), batch.labels


def train_epoch(training: Training, progress: "tqdm[Any]") -> tuple[float, float]:
    """Mean loss, and share of right answers. Raises TrainingError where the loss is no longer a number."""
    # Dropout draws from the global generator.
    torch.manual_seed(training.recipe.seed * 1_000_003 + training.epoch)
    training.model.train()
    losses = torch.zeros((), device=training.device)
    right, asked = torch.zeros(2, device=training.device).unbind()
    bf16 = hardware.has_bf16(training.device)
    for step, (images, labels) in enumerate(epoch_batches(training), start=1):
        with torch.autocast(training.device.type, torch.bfloat16, enabled=bf16):
            logits = training.forward(images)
        loss = loss_of(logits.float(), labels, training.recipe.label_smoothing)
        training.optimizer.zero_grad()
        loss.backward()
        training.optimizer.step()
        training.schedule.step()
        training.averaged.update_parameters(training.model)
        losses += loss.detach()
        hits = (logits.detach().argmax(dim=1) == labels).sum()
        known = (labels != NOT_A_DIGIT).sum()
        right += hits
        asked += known
        progress.update(len(images))
        if training.live and step % max(1, training.steps // POINTS_PER_EPOCH) == 0:
            seen = (training.epoch * training.steps + step) * training.batch_size
            training.live.point(seen, loss.item(), (hits / known).item())
    mean = losses.item() / training.steps
    if not math.isfinite(mean):
        raise Diverged(
            f"the loss of epoch {training.epoch + 1} is {mean}: training diverged. The checkpoint before it is kept. "
            f"learning_rate is {training.recipe.learning_rate}; try a lower one"
        )
    return mean, (right / asked).item()


def measured_epoch(training: Training, progress: "tqdm[Any]") -> run_folder.EpochRow:
    """Trains one epoch (the timed part) and validates it."""
    learning_rate = float(training.schedule.get_last_lr()[0])
    start = time.perf_counter()
    train_loss, train_accuracy = train_epoch(training, progress)
    seconds = time.perf_counter() - start
    logits = predict(training.averaged.module, training.validation.images)
    labels = training.validation.labels
    return run_folder.EpochRow(
        epoch=training.epoch + 1,
        train_loss=train_loss,
        validation_loss=F.cross_entropy(logits, labels).item(),
        validation_accuracy=(logits.argmax(dim=1) == labels).float().mean().item(),
        learning_rate=learning_rate,
        seconds=seconds,
        images_per_second=training.steps * training.batch_size / seconds,
        train_accuracy=train_accuracy,
    )


def train(training: Training, folder: Path) -> None:
    """Runs the epochs that are left, a checkpoint after each."""
    per_epoch = training.steps * training.batch_size
    split = training.recipe.judged_on
    run_folder.write_log(folder, training.rows)  # a kill may have come between a checkpoint and its line
    with tqdm(
        total=training.recipe.epochs * per_epoch,
        initial=training.epoch * per_epoch,
        unit="images",
        unit_scale=True,
        mininterval=1,
    ) as progress:
        while training.epoch < training.recipe.epochs:
            progress.set_description(f"epoch {training.epoch + 1}/{training.recipe.epochs}")
            row = measured_epoch(training, progress)
            training.rows.append(row)
            if training.live:
                training.live.epoch(training.epoch * per_epoch, row)
            run_folder.save_checkpoint(folder, training.state())
            run_folder.write_log(folder, training.rows)
            progress.set_postfix_str(f"loss {row.train_loss:.4f}, {split} {row.validation_accuracy:.2%}")
    print(f"{folder}: {training.epoch} epochs, {split} accuracy {training.rows[-1].validation_accuracy:.2%}")


def save_pictures(folder: Path, dataset: Dataset, on: torch.device) -> None:
    """Of a finished run. The confusion matrix comes last: where it is there, so are the curves."""
    split = run_folder.read_recipe(folder).judged_on
    plots.save_curves(run_folder.read_log(folder), split, folder / "curves.png")
    validation = dataset.validation.to(on)
    predictions = predict(load_classifier(folder, dataset.labels, on), validation.images).argmax(dim=1)
    plots.save_confusion(validation.labels, predictions, dataset.labels, f"{split} split", folder / CONFUSION)


@contextlib.contextmanager
def readable_failures(folder: Path) -> Iterator[None]:
    """Turns running out of memory and Ctrl-C into one line that says what is kept."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:  # torch's own class is a RuntimeError, and the CPU's has no class
        if not is_out_of_memory(error):
            raise
        raise TrainingError(
            f"out of memory: {next(iter(str(error).splitlines()), '')} Begin another run with a lower --batch-size"
        ) from error
    except KeyboardInterrupt:
        sys.exit(f"\nstopped; {what_is_kept(folder)}")


def what_is_kept(folder: Path) -> str:
    if not (folder / run_folder.RECIPE).exists():
        return "the run had not begun: there is nothing to go on with"
    finished = (folder / run_folder.CHECKPOINT).exists()
    kept = "the last finished epoch is kept" if finished else "no epoch was finished"
    return f"{kept} in {folder}; go on with: python -m training.train --resume {folder}"


def is_out_of_memory(error: Exception) -> bool:
    known = isinstance(error, (MemoryError, torch.OutOfMemoryError))
    return known or "can't allocate memory" in str(error) or "not enough memory" in str(error)


def load_data(recipe: Recipe, place: Place) -> Dataset:
    dataset = load_dataset(recipe.data, place.data_dir, recipe.contract)
    if recipe.validate_on_test:
        dataset = replace(dataset, train=dataset.train + dataset.validation, validation=dataset.test)
    return dataset


def finish(recipe: Recipe, folder: Path, place: Place, dataset: Dataset | None = None) -> list[run_folder.EpochRow]:
    """Begins the run, goes on with it, or finds it finished. Raises TrainingError where `folder` holds another.

    Raises Diverged where the run diverges, or did so before: with the same recipe and data it would again.
    """
    on = hardware.pick(place.device)
    begun = (folder / run_folder.RECIPE).exists()
    if begun and run_folder.read_recipe(folder) != recipe:
        raise TrainingError(f"{folder} holds a run of another recipe; remove it, or choose another place with --out")
    if (diverged := folder / run_folder.DIVERGED).exists():
        raise Diverged(f"{diverged.read_text().strip()} ({diverged} says so; to train on all the same, remove it)")
    state = run_folder.load_checkpoint(folder, on) if (folder / run_folder.CHECKPOINT).exists() else None
    if state and len(state["rows"]) == recipe.epochs:
        rows = [run_folder.EpochRow(**row) for row in state["rows"]]
        run_folder.write_log(folder, rows)  # a kill may have come between the checkpoint and its line
        if not (folder / CONFUSION).exists():  # or before the pictures
            with readable_failures(folder):
                save_pictures(folder, dataset or load_data(recipe, place), on)
        return rows
    with readable_failures(folder):
        dataset = dataset or load_data(recipe, place)
        training = Training(recipe, dataset, on)
        if state:
            training.load(state)
        elif recipe.start_from:
            training.start_with(load_classifier(Path(recipe.start_from), training.labels, on))
        if not begun:
            run_folder.create(folder, recipe, hardware.environment(on))
        training.live = Live(folder, recipe.judged_on) if place.tensorboard else None
        try:
            train(training, folder)
        except Diverged as error:
            run_folder.write_whole(folder / run_folder.DIVERGED, f"{error}\n")
            raise
        save_pictures(folder, dataset, on)
    return training.rows


def finish_or_diverge(
    recipe: Recipe, folder: Path, place: Place, dataset: Dataset | None = None
) -> list[run_folder.EpochRow]:
    """The epochs that were finished: all, or those before the loss was no longer a number, which is printed."""
    try:
        return finish(recipe, folder, place, dataset)
    except Diverged as error:
        print(error)
        return run_folder.read_log(folder)


def begin(name: str, arguments: NewRun) -> None:
    folder = arguments.run or Path("runs") / f"{name}-seed{arguments.recipe.seed}"
    run_folder.refuse_to_overwrite(folder)
    finish(arguments.recipe, folder, arguments.place)


def resume(folder: Path, place: Place) -> None:
    recipe = run_folder.read_recipe(folder)
    rows = finish(recipe, folder, place)
    print(f"{folder}: {len(rows)} of {recipe.epochs} epochs are finished")


def main(arguments: list[str] | None = None) -> None:
    first = argparse.ArgumentParser(add_help=False)
    how = first.add_mutually_exclusive_group()
    how.add_argument("--recipe", choices=sorted(RECIPES), default="googlenet")
    how.add_argument("--resume", type=Path)
    chosen, rest = first.parse_known_args(arguments)
    recipes = ",".join(sorted(RECIPES))
    about = f"{__doc__}\n\n--recipe {{{recipes}}} sets the defaults below; --resume RUN goes on with a run."
    try:
        if chosen.resume:
            resume(chosen.resume, tyro.cli(Place, prog="python -m training.train", description=about, args=rest))
        else:
            default = NewRun(RECIPES[chosen.recipe])
            begin(
                chosen.recipe,
                tyro.cli(NewRun, default=default, prog="python -m training.train", description=about, args=rest),
            )
    except TrainingError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
