"""A recipe that cannot be trained is refused with the value and what is allowed."""

from typing import Any

import pytest

from training.errors import TrainingError
from training.run.recipe import RECIPES, Recipe


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"network": "lenet"}, "network 'lenet' is unknown; known: alexnet-cifar, alexnet-d2l, alexnet-lite"),
        ({"epochs": 0}, "epochs is 0; it must be above 0"),
        ({"batch_size": -1}, "batch_size is -1; it must be above 0"),
        ({"weight_decay": -0.1}, "weight_decay is -0.1; it must be 0 or more"),
        ({"label_smoothing": 1.0}, r"label_smoothing is 1.0; it must be in \[0, 1\)"),
    ],
)
def test_wrong_values_are_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(TrainingError, match=said):
        Recipe(**{"network": "googlenet", **values})


def test_the_shipped_models_have_recipes() -> None:
    assert {"googlenet", "alexnet"} <= set(RECIPES)
