"""How well a confidence keeps its word: calibration error, and digits told from what is none."""

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

BINS = 15

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def expected_calibration_error(confidences: Floats, right: Bools) -> float:
    """Mean distance of confidence and accuracy over 15 bins of equal width (Guo et al. 2017), 0 to 1."""
    bins = np.minimum((confidences * BINS).astype(np.intp), BINS - 1)
    gaps = np.bincount(bins, confidences, BINS) - np.bincount(bins, right, BINS)
    return float(np.abs(gaps).sum() / len(confidences))


def auroc(of_digits: Floats, of_others: Floats) -> float:
    """The probability that a digit's confidence is above another image's; ties count half."""
    known = np.r_[np.ones(len(of_digits)), np.zeros(len(of_others))]
    return float(roc_auc_score(known, np.r_[of_digits, of_others]))
