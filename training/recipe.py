"""Everything that decides the weights of a run, and the recipes that trained the shipped artefacts."""

from dataclasses import dataclass, field
from typing import Literal

from training.augment import Augmentation
from training.errors import TrainingError
from training.networks import NETWORKS


@dataclass(frozen=True)
class Recipe:
    """Two runs with equal recipes on one CPU give equal weights."""

    network: str
    """a network of training/networks"""
    data: str = "mnist"
    """mnist, fashion-mnist, sample (5,000 MNIST images, no network needed) or folder:PATH"""
    epochs: int = 20
    batch_size: int = 256
    optimizer: Literal["sgd", "adamw"] = "sgd"
    """sgd is with Nesterov momentum, which the schedule cycles from 0.95 to 0.85 and back"""
    learning_rate: float = 0.1
    """the peak of the one-cycle schedule"""
    weight_decay: float = 5e-4
    label_smoothing: float = 0.1
    ema_epochs: float = 0.5
    """time constant of the moving average of the weights, in epochs; 0 turns it off"""
    written_digits: int = 0
    """synthesised digits, written and printed, beside those of `data`"""
    not_digits: int = 0
    """synthesised letters, signs and noise, which the network learns to give no class"""
    augmentation: Augmentation = field(default_factory=Augmentation)
    start_from: str = ""
    """the folder of a finished run of this network, whose weights this one begins with"""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.network not in NETWORKS:
            raise TrainingError(f"network {self.network!r} is unknown; known: {', '.join(sorted(NETWORKS))}")
        for name in ("epochs", "batch_size", "learning_rate"):
            if getattr(self, name) <= 0:
                raise TrainingError(f"{name} is {getattr(self, name)}; it must be above 0")
        for name in ("weight_decay", "ema_epochs", "written_digits", "not_digits"):
            if getattr(self, name) < 0:
                raise TrainingError(f"{name} is {getattr(self, name)}; it must be 0 or more")
        if not 0 <= self.label_smoothing < 1:
            raise TrainingError(f"label_smoothing is {self.label_smoothing}; it must be in [0, 1)")


RECIPES = {
    "googlenet": Recipe(network="googlenet", epochs=15, written_digits=12_000, not_digits=12_000),
    "alexnet": Recipe(
        network="alexnet-lite",
        epochs=10,
        batch_size=128,
        optimizer="adamw",
        learning_rate=1e-3,
        weight_decay=0.01,
        written_digits=6_000,
        not_digits=8_000,
    ),
    "sample": Recipe(
        network="googlenet",
        data="sample",
        epochs=12,
        batch_size=64,
        learning_rate=0.03,
        written_digits=500,
        not_digits=500,
    ),
}
