"""Trains a network by a recipe: `python -m training.train --recipe googlenet`.

One-cycle schedule (Smith and Topin 2018), label smoothing, moving average of the weights; the averaged weights are
validated and exported. The randomness of an epoch is a function of (seed, epoch) alone, so a run that was killed
and resumed ends with the weights of one that was not (bit for bit on a CPU; CUDA kernels may differ in the last bits).
`torchrun --standalone --nproc-per-node 2 -m training.train …` does the same in several processes, a share of each batch
in each, on as many GPUs or a part of the cores.
"""

import argparse
import math
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import tyro
from torch import Generator, Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from training.artefact.unfold import is_artefact, unfolded
from training.data.augment import augment
from training.data.crop import crop_and_flip
from training.data.dataset import DIGIT_LABELS, NOT_A_DIGIT
from training.errors import Diverged, Lost, TrainingError
from training.judge.by_source import by_source
from training.run import hardware, ranks, run_folder
from training.run.lifecycle import Place, Way, begin, resume
from training.run.live import POINTS_PER_EPOCH
from training.run.predict import predict
from training.run.recipe import RECIPES, Recipe
from training.run.state import Training
from training.run.trained import load_classifier

# Of fewer images a network from scratch learns little in the epochs of a recipe; where it is right in so many, it did.
FEW_IMAGES = 1_000
LEARNED = 0.9


@dataclass(frozen=True)
class NewRun:
    recipe: tyro.conf.OmitArgPrefixes[Recipe]
    place: tyro.conf.OmitArgPrefixes[Place] = field(default_factory=Place)
    run: Path | None = None
    """the folder of the run; runs/RECIPE-seedN if not given"""


def start(training: Training) -> None:
    """With the weights of another run, or of what one was exported to, as the recipe says."""
    folder = Path(training.recipe.start_from)
    if is_artefact(folder):
        training.start_with(unfolded(folder, training.labels, training.images.images))
    elif (folder / run_folder.RECIPE).exists():
        training.start_with(load_classifier(folder, training.labels, training.device))
    else:
        raise TrainingError(
            f"start_from is {folder}, which holds neither a run ({run_folder.RECIPE}) nor an exported model "
            "(metadata.json and model.pt)"
        )
    print_by_source(training, "before training, ")


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
    mine = ranks.share(training.batch_size)
    for step in range(training.steps):
        batch = training.images.take(order[step * training.batch_size : (step + 1) * training.batch_size])
        cropped = crop_and_flip(batch.images, training.recipe.crop, training.recipe.flip, generator)
        augmented = augment(cropped, training.recipe.augmentation, generator)
        # Each process draws for all, so that an image is the same whichever has it.
        yield augmented[mine], batch.labels[mine]


def to_train(training: Training) -> None:
    training.model.train()
    if training.recipe.freeze_norm:
        for layer in training.model.modules():
            if isinstance(layer, nn.BatchNorm2d | nn.SyncBatchNorm):
                layer.eval()


def train_epoch(training: Training, progress: "tqdm[Any]") -> tuple[float, float]:
    """Mean loss, and share of right answers. Raises TrainingError where the loss is no longer a number."""
    # Dropout draws from the global generator.
    torch.manual_seed(training.recipe.seed * 1_000_003 + training.epoch)
    to_train(training)
    losses = torch.zeros((), device=training.device)
    right, asked = torch.zeros(2, device=training.device).unbind()
    bf16 = hardware.has_bf16(training.device)
    for step, (images, labels) in enumerate(epoch_batches(training), start=1):
        with torch.autocast(training.device.type, torch.bfloat16, enabled=bf16):
            logits = training.forward(images)
        # Of several processes the gradients' mean is taken, whose shares of a batch may differ by an image.
        share = len(images) * ranks.count() / training.batch_size
        loss = loss_of(logits.float(), labels, training.recipe.label_smoothing) * share
        training.optimizer.zero_grad()
        loss.backward()
        training.optimizer.step()
        training.schedule.step()
        if training.recipe.ema_epochs or step == training.steps:
            training.averaged.update_parameters(training.model)
        losses += loss.detach()
        hits = (logits.detach().argmax(dim=1) == labels).sum()
        known = (labels != NOT_A_DIGIT).sum()
        right += hits
        asked += known
        progress.update(training.batch_size)
        if training.live and step % max(1, training.steps // POINTS_PER_EPOCH) == 0:
            seen = (training.epoch * training.steps + step) * training.batch_size
            of_all, hits, known = ranks.total(torch.stack([loss.detach() / ranks.count(), hits, known]))
            training.live.point(seen, of_all.item(), (hits / known).item())
    losses, right, asked = ranks.total(torch.stack([losses / ranks.count(), right, asked]))
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
    if ranks.is_first():
        run_folder.write_log(folder, training.rows)  # a kill may have come between a checkpoint and its line
    with tqdm(
        disable=not ranks.is_first(),
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
            if ranks.is_first():
                run_folder.save_checkpoint(folder, training.state())
                run_folder.write_log(folder, training.rows)
            progress.set_postfix_str(f"loss {row.train_loss:.4f}, {split} {row.validation_accuracy:.2%}")
    print(f"{folder}: {training.epoch} epochs, {split} accuracy {training.rows[-1].validation_accuracy:.2%}")
    if training.joined:
        print_by_source(training)
    if few := few_images(training):
        print(few)


def print_by_source(training: Training, before: str = "") -> None:
    recipe = training.recipe
    if not ranks.is_first():
        return
    for line in by_source(training.averaged.module, recipe, training.validation, training.joined):
        print(f"{before}{line}")


def few_images(training: Training) -> str | None:
    """Advice, where what there is to learn from has made no network."""
    recipe = training.recipe
    learned = training.rows[-1].validation_accuracy >= LEARNED
    if recipe.start_from or learned or training.given >= FEW_IMAGES:
        return None
    said = f"{training.given} images are few to train a network from scratch"
    if not recipe.data.startswith("folder:") or training.labels != DIGIT_LABELS:
        return f"{said}; begin with the weights of a run that learned the same classes: --start-from FOLDER"
    folder = recipe.data.removeprefix("folder:")
    return f"{said}; start from a shipped one: python -m training.train --recipe correct --data mnist,folder:{folder}"


WAY = Way(start, train)


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
            place = tyro.cli(Place, prog="python -m training.train", description=about, args=rest)
            with ranks.joined(place.device):
                resume(chosen.resume, place, WAY)
        else:
            default = NewRun(RECIPES[chosen.recipe])
            new = tyro.cli(NewRun, default=default, prog="python -m training.train", description=about, args=rest)
            folder = new.run or Path("runs") / f"{chosen.recipe}-seed{new.recipe.seed}"
            with ranks.joined(new.place.device):
                begin(new.recipe, folder, new.place, WAY)
    except TrainingError as error:
        sys.exit(f"error: {error}" if ranks.is_first() or isinstance(error, Lost) else 1)


if __name__ == "__main__":
    main()
