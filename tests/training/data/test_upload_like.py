"""Calibration sees what uploads look like, and the normaliser copes with most of it."""

import numpy as np
import pytest
import torch

from service.model.artefact import load
from service.model.engine import Engine
from tests.harness import ROOT, Digits
from training.data import upload_like
from training.data.dataset import Split


def test_photographs_are_worse_than_mnist_and_still_read(digits: Digits) -> None:
    chosen = slice(0, 5000, 20)
    split = Split(torch.from_numpy(digits.images[chosen]), torch.from_numpy(digits.labels[chosen]))
    seen = upload_like.uploaded(split, np.random.default_rng(0))
    assert len(seen) >= 0.98 * len(split)
    engine = Engine(load(ROOT / "exported/googlenet"), "cpu", threads=1, max_batch=1024)
    right = engine.run(seen.images.numpy()).argmax(axis=1) == seen.labels.numpy()
    assert right.mean() > 0.95


def test_photographs_are_of_every_size_and_both_polarities(digits: Digits) -> None:
    rng = np.random.default_rng(0)
    pictures = [upload_like.photograph(digits.images[i], rng) for i in range(100)]
    sides = [max(picture.size) for picture in pictures]
    assert min(sides) < 40
    assert max(sides) > 100
    bright = [np.median(np.asarray(picture)) > 128 for picture in pictures]
    assert np.mean(bright) == pytest.approx(0.7, abs=0.2)
