"""Accuracies carry their interval."""

import math

import pytest

from training.judge.accuracy import Accuracy


def test_the_interval_is_wilsons() -> None:
    share, count, z = 0.9956, 10_000, 1.959964  # z: 95 % of a normal distribution lie within ± z
    centre = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * math.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    low, high = Accuracy(9956, 10_000).interval
    assert [low, high] == pytest.approx([centre - half, centre + half], abs=1e-6)
    assert str(Accuracy(1, 2)).startswith("50.00% (1 of 2; 95 % interval")
