"""A network for colour is trained, evaluated, exported with parity and loaded by the service like any other."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch import nn

from service.model.artefact import load
from service.model.engine import Engine
from service.picture.resize import resize
from tests.harness import Digits
from tests.training.data.test_dataset import write_tree
from training import evaluate, export, train
from training.networks import NETWORKS, Network
from training.networks.alexnet_cifar import CONTRACT


class Small(nn.Sequential):
    """With the layer of `alexnet-cifar` that is hardest to export: 4×4 averaged to 6×6."""

    def __init__(self, classes: int) -> None:
        super().__init__(
            nn.Conv2d(3, 8, 3, stride=2, padding=1),
            nn.MaxPool2d(4),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(6),
            nn.Flatten(),
            nn.Linear(8 * 36, classes),
        )


def test_from_a_tree_of_colour_images_to_an_answer(
    tmp_path: Path, digits: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(NETWORKS, "small", Network(Small, CONTRACT))
    write_tree(tmp_path / "tree", digits, per_class=100)
    run, target = tmp_path / "run", tmp_path / "models/things"
    data = ["--data", f"folder:{tmp_path / 'tree'}", "--network", "small", "--batch-size", "32", "--epochs", "8"]
    train.main(["--recipe", "fashion", *data, "--no-flip", "--run", str(run)])
    assert evaluate.evaluate(evaluate.Arguments(run)).share > 0.6
    assert (run / "validation-mistakes.png").exists()

    export.main([str(run), str(target)])
    artefact = load(target)
    assert artefact.shape == (3, 32, 32)
    assert not artefact.reads_digits
    engine = Engine(artefact, "cpu", threads=1, max_batch=8)
    engine.warm_up()

    pixels = [resize(Image.fromarray(digits.pick(label, 150)), artefact.shape) for label in range(3)]
    assert (engine.run(np.stack(pixels)).argmax(axis=1) == [0, 1, 2]).sum() >= 2
