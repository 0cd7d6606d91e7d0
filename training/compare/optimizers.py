"""Seven optimizers on one network and one data set, as a widely copied article compares them, beside its figures."""

import csv
import dataclasses
import io
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from training.compare.pictures import Runs, save_animation, save_panels
from training.errors import TrainingError
from training.run import hardware, lifecycle, run_folder
from training.run.optimizers import Name
from training.run.recipe import RECIPES, Recipe
from training.run.run_folder import EpochRow
from training.train import WAY


@dataclass(frozen=True)
class Setting:
    """`fashion_mnist` and `cifar10`: the article's test accuracy after 20 epochs."""

    optimizer: Name
    learning_rate: float
    weight_decay: float
    fashion_mnist: float
    cifar10: float


SETTINGS = {
    "SGD": Setting("sgd", 0.01, 5e-4, 0.8560, 0.5585),
    "Momentum": Setting("momentum", 0.01, 5e-4, 0.9178, 0.8363),
    "NAG": Setting("nag", 0.01, 5e-4, 0.9231, 0.8415),
    "Adagrad": Setting("adagrad", 0.01, 5e-4, 0.8982, 0.6207),
    "Adadelta": Setting("adadelta", 0.01, 5e-4, 0.8468, 0.5011),
    "RMSprop": Setting("rmsprop", 0.001, 1e-5, 0.8961, 0.7676),
    "Adam": Setting("adam", 0.001, 1e-4, 0.9174, 0.7924),
}


@dataclass(frozen=True)
class Optimizers:
    recipe: Literal["s4-fashion", "s4-cifar"] = "s4-fashion"
    epochs: int | None = None
    """as the recipe says if not given"""
    seeds: int = 1
    limit: int = 0
    """images of the training split; 0: all"""
    data: str | None = None
    """as the recipe says if not given; folder:PATH for a copy of the same data set as folders of images"""
    data_dir: Path = Path("data")
    device: hardware.DeviceChoice = "auto"
    out: Path | None = None
    """runs/optimizers-RECIPE if not given; give another for other epochs, another limit or other data"""

    def run(self) -> None:
        if self.seeds < 1:
            raise TrainingError(f"seeds is {self.seeds}; it must be above 0")
        folder = self.out or Path(f"runs/optimizers-{self.recipe}")
        base = RECIPES[self.recipe]
        epochs = base.epochs if self.epochs is None else self.epochs
        data = base.data if self.data is None else self.data
        recipe = dataclasses.replace(base, epochs=epochs, images=self.limit, data=data)
        place = lifecycle.Place(self.data_dir, self.device)
        dataset = lifecycle.load_data(recipe, place)
        runs: Runs = {}
        for seed in range(self.seeds):
            for name, setting in SETTINGS.items():
                print(f"{name}, seed {seed}")
                one = recipe_of(recipe, setting, seed)
                run = folder / f"{setting.optimizer}-seed{seed}"
                rows = lifecycle.finish_or_diverge(one, run, place, WAY, dataset)
                if len(rows) == one.epochs:
                    run_folder.keep_weights_alone(run)
                runs.setdefault(name, []).append(rows)
        write_csv(runs, folder / "epochs.csv")
        text = table(runs, self.recipe)
        run_folder.write_text(folder / "table.md", text + "\n")
        drawn = {name: [rows for rows in seeds if rows] for name, seeds in runs.items()}
        save_panels(drawn, folder / "optimizers.png")
        save_animation(drawn, folder / "optimizers.gif")
        print(f"{text}\n{folder}: table.md, epochs.csv, optimizers.png, optimizers.gif, and the weights of each run")


def recipe_of(recipe: Recipe, setting: Setting, seed: int) -> Recipe:
    return dataclasses.replace(
        recipe,
        optimizer=setting.optimizer,
        learning_rate=setting.learning_rate,
        weight_decay=setting.weight_decay,
        seed=seed,
    )


def write_csv(runs: Runs, path: Path) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, ["optimizer", "seed", *EpochRow.__dataclass_fields__], lineterminator="\n")
    writer.writeheader()
    for name, seeds in runs.items():
        for seed, rows in enumerate(seeds):
            writer.writerows({"optimizer": name, "seed": seed, **dataclasses.asdict(row)} for row in rows)
    run_folder.write_text(path, text.getvalue())


def table(runs: Runs, recipe: str) -> str:
    """Markdown: test accuracy after the last epoch, best first. Mean and spread where there are several seeds."""
    lines = ["| optimizer | epochs | test accuracy | the article's, 20 epochs | seconds |", "|---|---|---|---|---|"]
    final = {name: [rows[-1].validation_accuracy if rows else 0.0 for rows in seeds] for name, seeds in runs.items()}
    for name in sorted(runs, key=lambda name: -statistics.mean(final[name])):
        setting = SETTINGS[name]
        article = setting.fashion_mnist if recipe == "s4-fashion" else setting.cifar10
        spread = f" ± {statistics.stdev(final[name]):.4f}" if len(final[name]) > 1 else ""
        epochs = min(len(rows) for rows in runs[name])
        seconds = statistics.mean(sum(row.seconds for row in rows) for rows in runs[name])
        accuracy = f"{statistics.mean(final[name]):.4f}{spread}"
        lines.append(f"| {name} | {epochs} | {accuracy} | {article:.4f} | {seconds:.0f} |")
    return "\n".join(lines)
