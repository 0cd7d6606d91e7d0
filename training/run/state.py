"""The state of a run between two epochs, and what it trains on."""

import math
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from training.data import glyphs, labelled, synthesis, upload_like
from training.data.dataset import Dataset, Split, are_digits
from training.data.labelled import Labelled
from training.data.scenes import Sources
from training.errors import TrainingError
from training.networks.classifier import Classifier
from training.run import optimizers, ranks, run_folder
from training.run.live import Live
from training.run.recipe import Recipe

# A one-cycle schedule of fewer has no rise and fall to speak of.
LEAST_STEPS = 10

# Of an epoch, where a recipe leaves it open how often labelled pictures are in it.
PICTURE_SHARE = 0.25
MOST_COPIES = 30


class Training:
    """The state of a run between two epochs."""

    def __init__(self, recipe: Recipe, dataset: Dataset, on: torch.device) -> None:
        self.recipe = recipe
        self.labels = dataset.labels
        self.joined = dataset.joined
        # How many images the data set brings: those that code makes are beside them.
        self.given = len(dataset.train)
        self.images = ranks.of_first(lambda: training_images(recipe, dataset)).to(on)
        self.validation = dataset.validation.to(on)
        self.device = on
        self.rows: list[run_folder.EpochRow] = []
        self.live: Live | None = None

        torch.manual_seed(recipe.seed)
        classifier = Classifier(recipe.network, len(dataset.labels), recipe.contract)
        self.model = classifier.to(on).to(memory_format=torch.channels_last)
        self.batch_size = min(recipe.batch_size, len(self.images))
        if self.batch_size == 1 and any(isinstance(layer, nn.BatchNorm2d) for layer in self.model.modules()):
            raise TrainingError(
                f"batches are of 1 image (batch_size is {recipe.batch_size}, and there are {len(self.images)} to train "
                f"on); {recipe.network} normalises over a batch and needs 2 or more in each"
            )
        if self.batch_size < ranks.count():
            raise TrainingError(f"batches are of {self.batch_size} images: too few for {ranks.count()} processes")
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
        self.forward = forward_of(self.model, self.batch_size, on)

    def start_with(self, classifier: Classifier) -> None:
        """Raises TrainingError where it is of another network."""
        try:
            self.model.load_state_dict(classifier.state_dict())
        except RuntimeError as error:
            raise TrainingError(f"{self.recipe.start_from} is of another network than {self.recipe.network}") from error
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


def forward_of(model: nn.Module, batch: int, on: torch.device) -> Callable[[Tensor], Tensor]:
    """On a CPU compiling takes a minute and the compiled step is a quarter slower (measured, torch 2.15)."""
    if ranks.count() > 1:
        return ranks.wrapped(model, batch)
    return torch.compile(model) if on.type == "cuda" else model


def training_images(recipe: Recipe, dataset: Dataset) -> Split:
    """Those of the data set, and the synthesised ones that the recipe asks for.

    Raises TrainingError where it asks for digits and the classes of the data set are others.
    """
    asked = {name: getattr(recipe, name) for name in ("written_digits", "not_digits", "scenes", "pictures")}
    if any(asked.values()) and not are_digits(dataset.labels, recipe.contract):
        named = ", ".join(f"{name} is {value!r}" for name, value in asked.items() if value)
        raise TrainingError(f"{named}; that is for digits, and {recipe.network} is to read {recipe.data}: leave it out")
    images = dataset.train
    if recipe.images:
        images = images.take(torch.arange(min(recipe.images, len(images))))
    if recipe.written_digits:
        images = images + synthesis.digits(recipe.written_digits, recipe.seed)
    if recipe.not_digits:
        images = images + synthesis.not_digits(recipe.not_digits, recipe.seed, dataset.train)
    if recipe.scenes:
        sources = Sources(dataset.train, glyphs.checked(recipe.fonts))
        images = images + upload_like.make(recipe.scenes, recipe.seed, sources).to_learn()
    if pictures := pictures_to_learn(recipe, dataset):
        learned = labelled.read(pictures, recipe.contract).to_learn()
        copies = recipe.picture_copies or copies_for_a_share(len(learned), len(images))
        images = images + learned.take(torch.arange(len(learned)).repeat(copies))
    return images


def pictures_to_learn(recipe: Recipe, dataset: Dataset) -> list[Labelled]:
    joined = [picture for folder in dataset.joined for picture in labelled.parted(labelled.find(folder))[0]]
    return joined + (labelled.find(Path(recipe.pictures)) if recipe.pictures else [])


def copies_for_a_share(pictures: int, others: int) -> int:
    """So many that the pictures are `PICTURE_SHARE` of all, but of a few no more than they have to teach."""
    wanted = round(others * PICTURE_SHARE / (1 - PICTURE_SHARE) / max(1, pictures))
    return min(MOST_COPIES, max(1, wanted))
