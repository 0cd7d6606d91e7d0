"""Seconds of training to an accuracy, over many seeds: `python -m benchmarks.time_to_accuracy --data-dir DIR`.

As Jordan measures (2024, "94% on CIFAR-10 in 3.29 seconds on a single GPU"): every seed trains for the same number of
epochs, the mean of their test accuracies is what has to reach the target, data lies in the device's memory and a
warm-up has compiled everything before the clock starts. Tests are not on the clock.
"""

import json
import statistics
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from tqdm import tqdm

from benchmarks import command_line
from training.data.dataset import Dataset
from training.run import hardware
from training.run.lifecycle import Place, load_data
from training.run.recipe import RECIPES, Recipe
from training.run.state import Training
from training.train import measured_epoch


@dataclass(frozen=True)
class Arguments:
    recipe: Literal["googlenet", "alexnet"] = "googlenet"
    """without synthesised images"""
    epochs: int = 8
    batch_size: int | None = None
    """as the recipe says if not given, and so the learning rate"""
    learning_rate: float | None = None
    target: float = 0.995
    seeds: int = 20
    images: int = 0
    """of the training split; 0: all 60,000"""
    device: hardware.DeviceChoice = "auto"
    data_dir: Path = Path("data")

    def __post_init__(self) -> None:
        command_line.above_zero(
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            target=self.target,
            seeds=self.seeds,
        )
        command_line.zero_or_more(images=self.images)


def recipe_of(arguments: Arguments) -> Recipe:
    """Trains on the validation split as well, as those who report test accuracy by seconds do."""
    base = RECIPES[arguments.recipe].on_data_alone
    return replace(
        base,
        epochs=arguments.epochs,
        batch_size=arguments.batch_size or base.batch_size,
        learning_rate=arguments.learning_rate or base.learning_rate,
        images=arguments.images,
        validate_on_test=True,
    )


def trained(recipe: Recipe, dataset: Dataset, place: Place) -> tuple[float, float]:
    """Seconds, and the test accuracy of the averaged weights behind the last epoch."""
    training = Training(recipe, dataset, hardware.pick(place.device))
    with tqdm(disable=True) as silent:
        for _ in range(recipe.epochs):
            training.rows.append(measured_epoch(training, silent))
    return sum(row.seconds for row in training.rows), training.rows[-1].validation_accuracy


def main() -> None:
    with command_line.readable_failures():
        run(command_line.parse(Arguments, "time_to_accuracy", __doc__))


def run(arguments: Arguments) -> None:
    recipe, place = recipe_of(arguments), Place(arguments.data_dir, arguments.device)
    dataset = load_data(recipe, place)
    trained(replace(recipe, epochs=1), dataset, place)
    runs = []
    for seed in range(arguments.seeds):
        runs.append(trained(replace(recipe, seed=seed), dataset, place))
        print(f"seed {seed}: {runs[-1][0]:.2f} s, {runs[-1][1]:.2%}")
    seconds, accuracies = zip(*runs, strict=True)
    spread = statistics.stdev(accuracies) if len(runs) > 1 else 0.0
    mean = statistics.mean(accuracies)
    reached = "reached" if mean >= arguments.target else "NOT reached"
    print(
        f"{recipe.network}, {recipe.epochs} epochs: {statistics.mean(seconds):.2f} s, {mean:.2%} ± {spread:.2%} "
        f"over {len(runs)} seeds; {arguments.target:.2%} is {reached}"
    )
    figures = {"seconds": statistics.mean(seconds), "accuracy": mean, "spread": spread, "seeds": len(runs)}
    environment = hardware.environment(hardware.pick(arguments.device))
    setting = {"recipe": arguments.recipe, "epochs": recipe.epochs, "batch_size": recipe.batch_size}
    print(json.dumps({"benchmark": "time_to_accuracy", **setting, **figures, **environment}))


if __name__ == "__main__":
    main()
