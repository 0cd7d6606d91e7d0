"""The figures of a confidence, on answers whose figures are known."""

import numpy as np
import pytest

from training.judge.confidence import auroc, expected_calibration_error, risk_coverage, risks


@pytest.mark.parametrize(("confidence", "share", "error"), [(0.9, 0.9, 0.0), (0.99, 0.9, 0.09), (0.5, 1.0, 0.5)])
def test_the_calibration_error_is_the_gap_of_confidence_and_accuracy(
    confidence: float, share: float, error: float
) -> None:
    right = np.arange(1000) < share * 1000
    assert expected_calibration_error(np.full(1000, confidence), right) == pytest.approx(error)


def test_gaps_of_different_bins_do_not_cancel() -> None:
    confidences, right = np.repeat([0.1, 1.0], 500), np.repeat([True, False], 500)
    assert expected_calibration_error(confidences, right) == pytest.approx(0.95)


def test_auroc_counts_the_pairs_in_order() -> None:
    assert auroc(np.array([0.9, 0.8]), np.array([0.1, 0.2])) == 1
    assert auroc(np.array([0.9, 0.1]), np.array([0.5, 0.5])) == 0.5
    assert auroc(np.array([0.5]), np.array([0.5])) == 0.5


def test_risk_grows_with_coverage_where_the_unsure_are_wrong() -> None:
    confidences, right = np.linspace(1, 0.01, 100), np.arange(100) < 90
    curve = risk_coverage(confidences, right, np.array([0.95, 0.3]))
    assert [(point.coverage, point.risk) for point in curve] == [
        pytest.approx(pair)
        for pair in [(0.5, 0), (0.7, 0), (0.8, 0), (0.9, 0), (0.95, 5 / 95), (0.98, 8 / 98), (1, 0.1)]
    ]
    assert [point.false_accept_rate for point in curve] == [0.5, 0.5, 1, 1, 1, 1, 1]
    coverage, risk = risks(confidences[::-1], right[::-1])
    assert coverage[89] == 0.9
    assert risk[[89, 99]].tolist() == pytest.approx([0, 0.1])


def test_what_was_refused_unread_is_never_covered() -> None:
    curve = risk_coverage(np.array([0.9, 0.8, 0.0, 0.0]), np.array([True, False, False, False]), np.array([]))
    assert [(point.coverage, point.risk) for point in curve] == [(0.5, 0.5)]
    assert curve[0].false_accept_rate is None
    assert risk_coverage(np.array([]), np.array([], bool), np.array([0.5])) == ()


def test_those_that_are_equally_sure_are_covered_together() -> None:
    coverage, risk = risks(np.array([0.9, 0.9, 0.5, 0.0]), np.array([True, False, True, False]))
    assert coverage.tolist() == [0.5, 0.75]
    assert risk.tolist() == pytest.approx([0.5, 1 / 3])


def test_a_threshold_is_told_once_however_many_are_equally_sure() -> None:
    curve = risk_coverage(np.array([1.0] * 9 + [0.5]), np.ones(10, bool), np.array([]))
    assert [(point.threshold, point.coverage) for point in curve] == [(1.0, 0.9), (0.5, 1.0)]
