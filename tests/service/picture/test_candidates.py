"""What several candidates for one digit come to."""

import pytest

from service.picture.candidates import agreed


def test_a_single_candidate_is_the_answer() -> None:
    row = [0.1, 0.9]
    assert agreed([row]) is row


def test_two_that_agree_are_about_as_sure_as_either() -> None:
    assert agreed([[0.02, 0.98], [0.04, 0.96]])[1] == pytest.approx(0.9717, abs=1e-4)
    assert agreed([[0.02, 0.98], [0.02, 0.98]]) == [0.02, 0.98]


def test_two_that_disagree_are_not_sure() -> None:
    assert max(agreed([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])) == pytest.approx(0.5, abs=0.01)


def test_one_that_is_in_doubt_has_little_weight() -> None:
    assert agreed([[0.01, 0.98, 0.01], [0.34, 0.33, 0.33]])[1] > 0.8


def test_probabilities_add_up_to_one() -> None:
    assert sum(agreed([[0.333333, 0.666667], [0.1, 0.9], [0.5, 0.5]])) == pytest.approx(1, abs=2e-6)
