"""Mistakes that were found stay mended: pictures that an earlier model or normaliser misread."""

import csv

import numpy as np
import pytest
from PIL import Image

from service.artefact import load
from service.engine import Engine
from service.normalise import normalise
from tests.harness import ROOT

FOLDER = ROOT / "tests/digits/misclassified"
ARTEFACT = load(ROOT / "exported/googlenet")
ENGINE = Engine(ARTEFACT, "cpu", threads=1, max_batch=1)


def cases() -> list[tuple[str, int]]:
    with (FOLDER / "labels.csv").open(newline="") as file:
        return [(row["filename"], int(row["label"])) for row in csv.DictReader(file)]


@pytest.mark.parametrize(("name", "label"), cases())
def test_it_is_read_now(name: str, label: int) -> None:
    with Image.open(FOLDER / name) as picture:
        normalised = normalise(picture)
    if normalised.digit is None:
        assert label == -1, normalised.reason
        return
    probabilities = ENGINE.run(normalised.digit[None])[0]
    if label == -1:
        assert probabilities.max() < ARTEFACT.reject_threshold
    else:
        assert probabilities.argmax() == label, np.round(probabilities, 3)


def test_every_picture_is_listed() -> None:
    assert {name for name, _ in cases()} == {path.name for path in FOLDER.glob("*.png")}
