"""The recipes of the articles ask for what the articles print."""

import pytest
import torch
from torch import nn

from training.compare.optimizers import SETTINGS, recipe_of
from training.data.augment import NONE
from training.run import optimizers
from training.run.recipe import RECIPES, Recipe

ARTICLES = ["s0", "s1", "s2", "s3", "s4-fashion", "s4-cifar"]


def built(recipe: Recipe) -> torch.optim.Optimizer:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Linear(2, 2))
    return optimizers.build(recipe.optimizer, model, recipe.learning_rate, recipe.weight_decay, recipe.decay_biases)


@pytest.mark.parametrize(
    ("name", "kind", "options"),
    [
        ("SGD", torch.optim.SGD, {"lr": 0.01, "weight_decay": 5e-4, "momentum": 0, "nesterov": False}),
        ("Momentum", torch.optim.SGD, {"lr": 0.01, "weight_decay": 5e-4, "momentum": 0.9, "nesterov": False}),
        ("NAG", torch.optim.SGD, {"lr": 0.01, "weight_decay": 5e-4, "momentum": 0.9, "nesterov": True}),
        ("Adagrad", torch.optim.Adagrad, {"lr": 0.01, "weight_decay": 5e-4}),
        ("Adadelta", torch.optim.Adadelta, {"lr": 0.01, "weight_decay": 5e-4}),
        ("RMSprop", torch.optim.RMSprop, {"lr": 0.001, "weight_decay": 1e-5, "alpha": 0.9}),
        ("Adam", torch.optim.Adam, {"lr": 0.001, "weight_decay": 1e-4, "betas": (0.9, 0.999)}),
    ],
)
def test_the_seven_optimizers(name: str, kind: type, options: dict[str, object]) -> None:
    optimizer = built(recipe_of(RECIPES["s4-fashion"], SETTINGS[name], seed=0))
    assert type(optimizer) is kind
    decayed = optimizer.param_groups[0]
    assert {option: decayed[option] for option in options} == options
    assert len(decayed["params"]) == 4  # biases too


@pytest.mark.parametrize(
    ("name", "network", "data", "batch_size", "epochs", "learning_rate"),
    [
        ("s0", "alexnet-lite", "mnist", 64, 10, 0.01),
        ("s1", "alexnet-d2l", "mnist", 256, 10, 0.01),
        ("s2", "googlenet-plain", "mnist", 64, 10, 0.001),
        ("s3", "alexnet-d2l", "fashion-mnist", 128, 10, 0.01),
        ("s4-fashion", "alexnet-cifar", "fashion-mnist", 128, 20, 0.01),
        ("s4-cifar", "alexnet-cifar", "cifar10", 128, 20, 0.01),
    ],
)
def test_network_data_batch_and_epochs(
    name: str, network: str, data: str, batch_size: int, epochs: int, learning_rate: float
) -> None:
    recipe = RECIPES[name]
    assert (recipe.network, recipe.data, recipe.batch_size, recipe.epochs) == (network, data, batch_size, epochs)
    assert recipe.learning_rate == learning_rate


def test_the_optimizers_of_s0_to_s3() -> None:
    assert [RECIPES[name].optimizer for name in ARTICLES[:4]] == ["momentum", "sgd", "adam", "sgd"]
    assert all(RECIPES[name].weight_decay == 0 for name in ARTICLES[:4])


@pytest.mark.parametrize("name", ARTICLES)
def test_nothing_of_ours_is_in_them(name: str) -> None:
    recipe = RECIPES[name]
    assert (recipe.schedule, recipe.augmentation, recipe.label_smoothing) == ("constant", NONE, 0)
    assert (recipe.ema_epochs, recipe.written_digits, recipe.not_digits) == (0, 0, 0)


def test_preprocessing() -> None:
    """S0, S1 and S3 leave pixels at 0 to 1; S2 and Fashion-MNIST in S4 take 0.5 away; CIFAR-10 has its own figures."""
    means = [RECIPES[name].contract.mean for name in ARTICLES]
    assert means == [(0,), (0,), (0.5,), (0,), (0.5, 0.5, 0.5), (0.4914, 0.4822, 0.4465)]
    stds = [RECIPES[name].contract.std for name in ARTICLES]
    assert stds == [(1,), (1,), (0.5,), (1,), (0.5, 0.5, 0.5), (0.2023, 0.1994, 0.2010)]
    cifar = RECIPES["s4-cifar"]
    assert (cifar.crop, cifar.flip) == (4, True)
    assert not any(RECIPES[name].flip for name in ARTICLES[:5])


def test_a_constant_rate_stays_and_one_cycle_leaves_plain_sgd_without_momentum() -> None:
    for schedule in ("constant", "one-cycle"):
        optimizer = built(RECIPES["s1"])
        scheduler = optimizers.schedule(schedule, optimizer, "sgd", 0.01, steps=100)
        rates = []
        for _ in range(99):
            optimizer.step()
            scheduler.step()
            rates.append(optimizer.param_groups[0]["lr"])
            assert optimizer.param_groups[0]["momentum"] == 0
        assert (max(rates), min(rates)) == (0.01, 0.01) if schedule == "constant" else max(rates) > 2 * min(rates)
