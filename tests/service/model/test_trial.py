"""A new model takes the place of an old one only where it reads and is about as quick, on this machine."""

from pathlib import Path

import numpy as np
import pytest

from service.errors import StartError
from service.model import artefact, trial
from service.model.engine import Engine
from tests.artefacts import change_metadata, constant, put_model, ship
from tests.harness import ROOT


def engine(folder: Path) -> Engine:
    loaded = Engine(artefact.load(folder), "cpu", threads=1, max_batch=4)
    loaded.warm_up()
    return loaded


@pytest.fixture
def alexnet(tmp_path: Path) -> Path:
    return ship(tmp_path, "alexnet") / "alexnet"


def test_the_known_digits_are_two_of_each_and_both_models_read_all(alexnet: Path) -> None:
    images, digits = trial.known_digits()
    assert images.shape == (20, 28, 28)
    assert sorted(digits) == sorted(2 * [str(digit) for digit in range(10)])
    for folder in (alexnet, ROOT / "exported/googlenet"):
        read = [engine(folder).run(image[np.newaxis]).argmax() for image in images]
        assert [str(index) for index in read] == digits


def test_a_model_may_take_its_own_place_and_that_of_another(alexnet: Path) -> None:
    trial.compare(engine(alexnet), engine(alexnet))
    trial.compare(engine(ROOT / "exported/googlenet"), engine(alexnet))


def test_one_that_takes_far_longer_is_refused(alexnet: Path, tmp_path: Path) -> None:
    """Than one that does next to nothing."""
    old = ship(tmp_path / "old", "alexnet") / "alexnet"
    put_model(old, constant([1.0] + [0.0] * 9))
    with pytest.raises(StartError, match=r"it takes .* ms for an image here, .*; allowed: 20 times as long"):
        trial.compare(engine(alexnet), engine(old))


@pytest.mark.parametrize(
    ("probabilities", "threshold", "said"),
    [
        ([1.0] + [0.0] * 9, 0.5, "it reads 2 of 20 known digits right; 16 or more are needed"),
        ([0.5] * 10, 0.5, "the probabilities that it gives come to 5.000, and not to 1"),
        ([float("nan")] * 10, 0.5, "come to nan, and not to 1"),
        (None, 1.5, "it would accept none of 20 known digits: reject_threshold is 1.5"),
    ],
)
def test_one_that_reads_no_digits_is_refused(
    alexnet: Path, tmp_path: Path, probabilities: list[float] | None, threshold: float, said: str
) -> None:
    new = ship(tmp_path / "new", "alexnet") / "alexnet"
    if probabilities:
        put_model(new, constant(probabilities))
    change_metadata(new, reject_threshold=threshold)
    with pytest.raises(StartError, match=said):
        trial.compare(engine(new), engine(alexnet))


@pytest.mark.parametrize(
    ("labels", "said"),
    [("abcdefghij", "pictures of 28×28 as a, b"), ("1023456789", "digits of 28×28 as 1, 0")],
    ids=["others", "in another order"],
)
def test_other_labels_take_a_restart(alexnet: Path, tmp_path: Path, labels: str, said: str) -> None:
    new = ship(tmp_path / "new", "alexnet") / "alexnet"
    change_metadata(new, labels=list(labels), input={"dtype": "uint8", "shape": ["batch", 28, 28]})
    with pytest.raises(StartError, match=f"{said}, .*, and digits of 28×28 as 0, 1, .* is served; a restart takes it"):
        trial.compare(engine(new), engine(alexnet))
