"""The pictures of a run and of an evaluation. Each is written whole to one PNG."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib

matplotlib.use("Agg")  # no screen on a server

import matplotlib.pyplot as plt
from sklearn.metrics import ConfusionMatrixDisplay
from torch import Tensor

if TYPE_CHECKING:
    from training.run_folder import EpochRow


@contextlib.contextmanager
def picture(path: Path, rows: int, columns: int, inches: tuple[float, float]) -> Iterator[Any]:
    """Axes to draw on, an array [rows, columns], which are then written to `path`."""
    figure, axes = plt.subplots(rows, columns, figsize=inches, layout="constrained", squeeze=False)
    yield axes
    figure.savefig(path, dpi=100)
    plt.close(figure)


def save_curves(rows: "Sequence[EpochRow]", path: Path) -> None:
    """Loss and validation error by epoch, side by side; the error on a logarithmic scale."""
    epochs = [row.epoch for row in rows]
    figure, (losses, errors) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    losses.plot(epochs, [row.train_loss for row in rows], label="train, augmented and smoothed")
    losses.plot(epochs, [row.validation_loss for row in rows], label="validation")
    losses.set(xlabel="epoch", ylabel="cross entropy")
    losses.legend()
    errors.semilogy(epochs, [100 * max(1 - row.validation_accuracy, 1e-4) for row in rows])
    errors.set(xlabel="epoch", ylabel="validation error, %")
    for axes in (losses, errors):
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def save_confusion(labels: Tensor, predictions: Tensor, names: Sequence[str], path: Path) -> None:
    """Rows are the true classes; labels and predictions are int64 [N]."""
    figure, axes = plt.subplots(figsize=(7, 7), layout="constrained")
    ConfusionMatrixDisplay.from_predictions(
        labels.cpu().numpy(),
        predictions.cpu().numpy(),
        labels=range(len(names)),
        display_labels=names,
        colorbar=False,
        xticks_rotation="vertical" if max(map(len, names)) > 2 else "horizontal",
        ax=axes,
    )
    figure.savefig(path, dpi=120)
    plt.close(figure)


def save_contact_sheet(images: Tensor, titles: Sequence[str], path: Path) -> None:
    """images: uint8 [N, H, W] or [N, 3, H, W], one title each."""
    columns = 8
    rows = max(1, -(-len(images) // columns))
    figure, axes = plt.subplots(rows, columns, figsize=(1.5 * columns, 1.8 * rows), layout="constrained", squeeze=False)
    for place in axes.flat:
        place.axis("off")
    for place, image, title in zip(axes.flat, images.cpu().numpy(), titles, strict=False):
        place.imshow(image if image.ndim == 2 else image.transpose(1, 2, 0), cmap="gray", vmin=0, vmax=255)
        place.set_title(title, fontsize=8)
    figure.savefig(path, dpi=120)
    plt.close(figure)
