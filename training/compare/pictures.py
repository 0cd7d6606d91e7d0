"""Four panels with a line for each optimizer, still and moving."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.animation import FuncAnimation, PillowWriter
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from training.run import plots
from training.run.run_folder import EpochRow
from training.run.whole import written_whole

PANELS = {
    "train_loss": "training loss",
    "train_accuracy": "training accuracy",
    "validation_loss": "test loss",
    "validation_accuracy": "test accuracy",
}

FRAMES_PER_SECOND = 2

# By optimizer, for each seed the epochs.
Runs = dict[str, list[list[EpochRow]]]


def draw(axes: Any, runs: Runs, epochs: int) -> None:
    """The mean over the seeds of the first so many epochs. axes: four of matplotlib."""
    for panel, (field, title) in zip(axes.flat, PANELS.items(), strict=True):
        panel.clear()
        for name, seeds in runs.items():
            values = means(seeds, field)[:epochs]
            panel.plot(range(1, len(values) + 1), values, label=name, marker=".")
        panel.set(title=title, xlabel="epoch", xlim=(0.8, longest(runs) + 0.2), ylim=limits(runs, field))
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        panel.grid(alpha=0.3)
    axes.flat[0].legend(fontsize=7, loc="upper right")


def means(seeds: Sequence[Sequence[EpochRow]], field: str) -> list[float]:
    return [sum(getattr(row, field) for row in epoch) / len(epoch) for epoch in zip(*seeds, strict=False)]


def longest(runs: Runs) -> int:
    return max((len(rows) for seeds in runs.values() for rows in seeds), default=1)


def limits(runs: Runs, field: str) -> tuple[float, float]:
    """The same in each frame; losses beyond 3 are those of a run that learns nothing."""
    values = [value for seeds in runs.values() for value in means(seeds, field)] or [0.0]
    return (0, min(3.0, 1.05 * max(values))) if "loss" in field else (max(0.0, min(values) - 0.02), 1.0)


def save_panels(runs: Runs, path: Path) -> None:
    with plots.picture(path, 2, 2, (10, 7)) as axes:
        draw(axes, runs, longest(runs))


def save_animation(runs: Runs, path: Path) -> None:
    """A GIF, one frame for each epoch."""
    figure = Figure(figsize=(8, 5.6), layout="constrained")
    axes = figure.subplots(2, 2)
    animation = FuncAnimation(figure, lambda frame: draw(axes, runs, frame + 1), frames=longest(runs))
    with written_whole(path) as partial:
        animation.save(partial, PillowWriter(fps=FRAMES_PER_SECOND), dpi=70)
