"""Curves that grow while a run trains, for TensorBoard: `tensorboard --logdir runs`."""

from pathlib import Path

from training.run import ranks
from training.run.run_folder import EpochRow

# As the articles draw them.
POINTS_PER_EPOCH = 5


class Live:
    """Writes into `folder`/tensorboard, of several processes the first.

    Steps are images, so that runs of different batch sizes lie over each other.
    """

    def __init__(self, folder: Path, split: str) -> None:
        """`split`: the one that the figures after each epoch are of."""
        # Takes a second to import.
        from torch.utils.tensorboard import SummaryWriter

        self._split = split
        self._writer = SummaryWriter(str(folder / "tensorboard")) if ranks.is_first() else None

    def point(self, images: int, loss: float, accuracy: float) -> None:
        self._write(images, {"loss/train": loss, "accuracy/train": accuracy})

    def epoch(self, images: int, row: EpochRow) -> None:
        values = {f"loss/{self._split}": row.validation_loss, f"accuracy/{self._split}": row.validation_accuracy}
        self._write(images, {**values, "learning_rate": row.learning_rate, "images_per_second": row.images_per_second})

    def _write(self, images: int, values: dict[str, float]) -> None:
        if self._writer:
            for name, value in values.items():
                self._writer.add_scalar(name, value, images)
            self._writer.flush()
