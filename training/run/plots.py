"""The pictures of a run and of an evaluation. Each is written whole to one PNG."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from sklearn.metrics import ConfusionMatrixDisplay
from torch import Tensor

from training.run.run_folder import EpochRow
from training.run.whole import written_whole


@contextlib.contextmanager
def picture(path: Path, rows: int, columns: int, inches: tuple[float, float]) -> Iterator[Any]:
    """Axes to draw on, an array [rows, columns], which are then written to `path`."""
    # Not by pyplot, which would look for a screen and keep the figure.
    figure = Figure(figsize=inches, layout="constrained")
    yield figure.subplots(rows, columns, squeeze=False)
    with written_whole(path) as partial:
        figure.savefig(partial, format="png", dpi=120)


def save_curves(rows: Sequence[EpochRow], split: str, path: Path) -> None:
    """Loss and error by epoch, side by side; the error, which is of `split`, on a logarithmic scale."""
    epochs = [row.epoch for row in rows]
    with picture(path, 1, 2, (10, 4)) as axes:
        losses, errors = axes.flat
        losses.plot(epochs, [row.train_loss for row in rows], label="training", marker=".")
        losses.plot(epochs, [row.validation_loss for row in rows], label=split, marker=".")
        losses.set(xlabel="epoch", ylabel="cross entropy")
        losses.legend()
        errors.semilogy(epochs, [100 * max(1 - row.validation_accuracy, 1e-4) for row in rows], marker=".")
        errors.set(xlabel="epoch", ylabel=f"{split} error, %")
        for one in (losses, errors):
            one.xaxis.set_major_locator(MaxNLocator(integer=True))
            one.grid(alpha=0.3)


def save_confusion(labels: Tensor, predictions: Tensor, names: Sequence[str], title: str, path: Path) -> None:
    """Rows are the true classes; labels and predictions are int64 [N]."""
    with picture(path, 1, 1, (7, 7)) as axes:
        ConfusionMatrixDisplay.from_predictions(
            labels.cpu().numpy(),
            predictions.cpu().numpy(),
            labels=range(len(names)),
            display_labels=names,
            colorbar=False,
            xticks_rotation="vertical" if max(map(len, names)) > 2 else "horizontal",
            ax=axes.item(),
        )
        axes.item().set_title(title)


def save_risk_coverage(coverage: np.ndarray, risk: np.ndarray, accepted: float, path: Path) -> None:
    """float64 [N] each: the share of digits accepted, and of these the share read wrong; and where the service is."""
    with picture(path, 1, 1, (7, 4)) as axes:
        axes.item().semilogy(100 * coverage, 100 * np.maximum(risk, 1e-5))
        axes.item().axvline(100 * accepted, linestyle="--", color="grey", label="accepted as served")
        axes.item().set(xlabel="digits accepted, %", ylabel="of these read wrong, %", ylim=(0.01, None))
        axes.item().legend()
        axes.item().grid(alpha=0.3, which="both")


def save_contact_sheet(images: Tensor, titles: Sequence[str], path: Path) -> None:
    """images: uint8 [N, H, W] or [N, 3, H, W], one title each."""
    columns = 8
    rows = max(1, -(-len(images) // columns))
    with picture(path, rows, columns, (1.5 * columns, 1.8 * rows)) as axes:
        for place in axes.flat:
            place.axis("off")
        for place, image, title in zip(axes.flat, images.cpu().numpy(), titles, strict=False):
            place.imshow(image if image.ndim == 2 else image.transpose(1, 2, 0), cmap="gray", vmin=0, vmax=255)
            place.set_title(title, fontsize=8)
