"""A recipe that cannot be trained is refused with the value and what is allowed."""

import math
from typing import Any

import pytest

from training.data.augment import Augmentation
from training.errors import TrainingError
from training.run.recipe import Recipe


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"network": "lenet"}, "network 'lenet' is unknown; known: alexnet-cifar, alexnet-d2l, alexnet-lite"),
        ({"epochs": 0}, "epochs is 0; it must be above 0"),
        ({"batch_size": -1}, "batch_size is -1; it must be above 0"),
        ({"weight_decay": -0.1}, "weight_decay is -0.1; it must be 0 or more"),
        ({"label_smoothing": 1.0}, r"label_smoothing is 1.0; it must be in \[0, 1\)"),
        ({"label_smoothing": math.nan}, r"label_smoothing is nan; it must be in \[0, 1\)"),
        ({"learning_rate": math.nan}, "learning_rate is nan; it must be above 0, and finite"),
        ({"learning_rate": math.inf}, "learning_rate is inf; it must be above 0, and finite"),
        ({"weight_decay": math.nan}, "weight_decay is nan; it must be 0 or more, and finite"),
        ({"ema_epochs": math.inf}, "ema_epochs is inf; it must be 0 or more, and finite"),
        ({"images": -1}, "images is -1; it must be 0 or more"),
        ({"seed": -1}, "seed is -1; it must be 0 to 4294967295"),
        ({"seed": 2**32}, "seed is 4294967296; it must be 0 to 4294967295"),
        ({"crop": 28}, "crop is 28; it must be below 28, or some crops hold no image at all"),
        ({"pixel_mean": (0.1, 0.2)}, r"pixel_mean is \(0.1, 0.2\); googlenet takes 1 channels"),
        ({"pixel_mean": (math.nan,)}, r"pixel_mean is \(nan,\); all must be finite"),
        ({"pixel_std": (0.0,)}, r"pixel_std is \(0.0,\); all must be above 0, and finite"),
        ({"network": "alexnet-cifar"}, "augmentation is for digits in grey, and alexnet-cifar takes 3 channels"),
    ],
)
def test_wrong_values_are_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(TrainingError, match=said):
        Recipe(**{"network": "googlenet", **values})


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"degrees": -1.0}, "degrees of the augmentation is -1.0; it must be 0 to 180"),
        ({"scale": 1.0}, "scale of the augmentation is 1.0; it must be 0 to 0.9"),
        ({"grain": 1.1}, "grain of the augmentation is 1.1; it must be 0 to 1"),
        ({"shift": math.inf}, "shift of the augmentation is inf; it must be 0 or more, and finite"),
        ({"elastic": math.nan}, "elastic of the augmentation is nan; it must be 0 or more, and finite"),
    ],
)
def test_augmentation_without_sense_is_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(TrainingError, match=said):
        Augmentation(**values)
