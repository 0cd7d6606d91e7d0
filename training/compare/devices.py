"""The same recipe on the GPU and on the CPU: seconds, images a second, loss by epoch and accuracy, side by side."""

import dataclasses
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from matplotlib.ticker import MaxNLocator

from training.errors import TrainingError
from training.run import hardware, lifecycle, plots, run_folder
from training.run.recipe import RECIPES
from training.run.run_folder import EpochRow
from training.train import WAY


@dataclass(frozen=True)
class Devices:
    recipe: Literal["s0", "s2"] = "s2"
    epochs: int | None = None
    """as the recipe says if not given"""
    limit: int = 0
    """images of the training split; 0: all"""
    seed: int = 0
    data_dir: Path = Path("data")
    out: Path | None = None
    """runs/devices-RECIPE if not given"""

    def run(self) -> None:
        folder = self.out or Path(f"runs/devices-{self.recipe}")
        base = RECIPES[self.recipe]
        epochs = base.epochs if self.epochs is None else self.epochs
        recipe = dataclasses.replace(base, epochs=epochs, images=self.limit, seed=self.seed)
        choices: list[hardware.DeviceChoice] = ["cuda", "cpu"] if torch.cuda.is_available() else ["cpu"]
        if choices == ["cpu"]:
            print("there is no CUDA device here: the CPU is measured alone")
        rows = {}
        for choice in choices:
            place = lifecycle.Place(self.data_dir, choice)
            finished = lifecycle.finish_or_diverge(recipe, folder / choice, place, WAY)
            if finished:
                rows[run_folder.read_environment(folder / choice)["device"]] = finished
        if not rows:
            raise TrainingError(f"no device finished an epoch of {self.recipe}: the loss was no longer a number")
        text = table(rows, run_folder.read_environment(folder / "cpu")["device"])
        run_folder.write_text(folder / "table.md", text + "\n")
        save_picture(rows, folder / "devices.png")
        print(f"{text}\n{folder}/table.md, {folder}/devices.png")


def table(by_device: dict[str, list[EpochRow]], cpu: str) -> str:
    """Markdown. The ratio is of images a second to those of `cpu`, and blank where it finished no epoch."""
    lines = ["| device | s per epoch | images/s | ratio | loss by epoch | accuracy |", "|---|---|---|---|---|---|"]
    for device, rows in by_device.items():
        losses = ", ".join(f"{row.train_loss:.4f}" for row in rows)
        seconds = statistics.median(row.seconds for row in rows)
        ratio = f"{rate(rows) / rate(by_device[cpu]):.1f}" if cpu in by_device else ""
        lines.append(
            f"| {device} | {seconds:.1f} | {rate(rows):,.0f} | {ratio} | {losses} "
            f"| {rows[-1].validation_accuracy:.2%} |"
        )
    return "\n".join(lines)


def rate(rows: list[EpochRow]) -> float:
    return statistics.median(row.images_per_second for row in rows)


def save_picture(by_device: dict[str, list[EpochRow]], path: Path) -> None:
    with plots.picture(path, 1, 2, (10, 4)) as axes:
        loss, speed = axes.flat
        for device, rows in by_device.items():
            loss.plot([row.epoch for row in rows], [row.train_loss for row in rows], label=device, marker="o")
        loss.set(xlabel="epoch", ylabel="mean training loss", yscale="log")
        loss.xaxis.set_major_locator(MaxNLocator(integer=True))
        loss.legend()
        bars = speed.barh(list(by_device), [rate(rows) for rows in by_device.values()])
        speed.margins(x=0.15)
        speed.bar_label(bars, fmt="{:,.0f}", padding=3)
        speed.set(xlabel="images a second")
        for label in speed.get_yticklabels():
            label.set(rotation=90, va="center")
