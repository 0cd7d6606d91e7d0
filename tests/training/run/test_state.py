"""Every recipe builds a run that takes a step: networks, optimizer, schedule, augmentation and synthesised images."""

import math
from dataclasses import replace

import pytest
import torch
from tqdm import tqdm

from tests.harness import sample_digits
from training.data.dataset import DIGIT_LABELS, Dataset, Split
from training.errors import TrainingError
from training.run.recipe import LARGEST_SEED, RECIPES, Recipe
from training.run.state import Training
from training.train import train_epoch


def small(images: int) -> Dataset:
    """So many digits to train on, and two each to validate and test on."""
    digits = sample_digits()
    chosen = torch.arange(0, len(digits.images), len(digits.images) // images)[:images]
    split = Split(torch.from_numpy(digits.images), torch.from_numpy(digits.labels)).take(chosen)
    return Dataset(DIGIT_LABELS, split, split.take(torch.arange(2)), split.take(torch.arange(2)))


def begun(recipe: Recipe, images: int = 12) -> Training:
    return Training(recipe, small(images), torch.device("cpu"))


def weights(training: Training) -> dict[str, torch.Tensor]:
    return {name: parameter.detach().clone() for name, parameter in training.model.named_parameters()}


def one_epoch(training: Training) -> float:
    """The loss."""
    with tqdm(disable=True) as silent:
        return train_epoch(training, silent)[0]


@pytest.mark.parametrize("name", ["googlenet", "alexnet"])
def test_the_recipe_of_a_shipped_model_takes_a_step(name: str) -> None:
    recipe = RECIPES[name]
    training = begun(replace(recipe, written_digits=4, not_digits=4, scenes=min(recipe.scenes, 8)))
    assert training.steps == 1
    assert training.batch_size > 20 if recipe.scenes else training.batch_size == 20
    before = weights(training)
    rate = training.schedule.get_last_lr()
    assert math.isfinite(one_epoch(training))
    after = weights(training)
    assert all(after[name].isfinite().all() for name in before)
    assert [name for name in before if torch.equal(before[name], after[name])] == []
    assert training.schedule.get_last_lr() > rate


@pytest.mark.parametrize("seed", [0, LARGEST_SEED])
def test_every_allowed_seed_trains(seed: int) -> None:
    recipe = replace(RECIPES["sample"], network="googlenet-plain", written_digits=2, not_digits=2, seed=seed)
    assert math.isfinite(one_epoch(begun(recipe)))


@pytest.mark.parametrize("few", [{"batch_size": 1}, {"images": 1}])
def test_a_batch_of_one_is_refused_where_the_network_normalises_over_it(few: dict[str, int]) -> None:
    recipe = replace(RECIPES["sample"], written_digits=0, not_digits=0, **few)  # type: ignore[arg-type]
    with pytest.raises(TrainingError, match=r"batches are of 1 image .*; googlenet normalises over a batch"):
        begun(recipe)
    assert math.isfinite(one_epoch(begun(replace(recipe, network="googlenet-plain"))))
