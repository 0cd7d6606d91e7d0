"""Counters' wheels: what stands in the window is what the label says, and what lies between two digits is none."""

import numpy as np
import pytest

from training.data import wheels
from training.data.dataset import NOT_A_DIGIT
from training.data.wheels import Wheel


@pytest.fixture(scope="module")
def made() -> list[Wheel]:
    rng = np.random.default_rng(0)
    return [wheel for wheel in (wheels.turned(rng, held_out=False) for _ in range(300)) if wheel]


def test_they_stand_at_every_digit_and_between_two(made: list[Wheel]) -> None:
    assert {wheel.label for wheel in made} == {NOT_A_DIGIT, *range(10)}


def test_a_digit_that_is_read_covers_more_of_the_window_than_what_is_seen_of_others(made: list[Wheel]) -> None:
    read = [wheel for wheel in made if wheel.label != NOT_A_DIGIT]
    # A 1 beside half an 8 is the one exception.
    assert np.mean([wheel.digit.sum() > wheel.others.sum() for wheel in read]) > 0.95


def test_between_two_no_digit_is_whole(made: list[Wheel]) -> None:
    """Its rows reach the border of the window, which cuts it off."""
    for wheel in made:
        if wheel.label == NOT_A_DIGIT:
            assert wheel.box.top == 0 or wheel.box.bottom == len(wheel.digit)


def test_the_box_is_the_digits_own(made: list[Wheel]) -> None:
    for wheel in made:
        inside = wheel.digit[wheel.box.top : wheel.box.bottom, wheel.box.left : wheel.box.right]
        assert inside.sum() == pytest.approx(wheel.digit.sum())
