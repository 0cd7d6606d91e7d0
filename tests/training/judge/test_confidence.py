"""The figures of a confidence, on answers whose figures are known."""

import numpy as np
import pytest

from training.judge.confidence import auroc, expected_calibration_error


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
