"""How well a confidence keeps its word: calibration error, and digits told from what is none."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

BINS = 15

# Shares of the digits that are accepted, at which a curve is told in numbers.
COVERAGES = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 1.0)

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


@dataclass(frozen=True)
class Operating:
    """What a threshold would mean: the share of digits that it accepts (coverage), and of these the share that is read
    wrong (risk); the share that it accepts of what is no digit, None where there is none."""

    threshold: float
    coverage: float
    risk: float
    false_accept_rate: float | None


def operating(threshold: float, of_digits: Floats, right: Bools, of_others: Floats) -> Operating:
    """The first three are of digits, `of_digits` and `of_others` their confidences. What was refused unread has 0."""
    accepted = of_digits >= threshold
    wrong = float((accepted & ~right).sum() / max(1, accepted.sum()))
    others = float((of_others >= threshold).mean()) if len(of_others) else None
    return Operating(threshold, float(accepted.mean()), wrong, others)


def risk_coverage(of_digits: Floats, right: Bools, of_others: Floats) -> tuple[Operating, ...]:
    """The curve of risk against coverage (El-Yaniv and Wiener 2010) at `COVERAGES` or, as many may be equally sure, the
    next that a threshold can part; as far as digits were read, and so nothing where there are none."""
    falling = np.sort(of_digits[of_digits > 0])[::-1]
    counts = (max(1, round(share * len(of_digits))) for share in COVERAGES)
    thresholds = dict.fromkeys(float(falling[count - 1]) for count in counts if count <= len(falling))
    return tuple(operating(one, of_digits, right, of_others) for one in thresholds)


def risks(of_digits: Floats, right: Bools) -> tuple[Floats, Floats]:
    """Coverage and risk of each threshold that parts the digits, the highest first; what was refused unread is never
    covered."""
    order = np.argsort(-of_digits, kind="stable")
    falling = of_digits[order]
    counts = np.flatnonzero((falling > 0) & (np.append(falling[1:], 0) < falling)) + 1
    return counts / len(order), np.cumsum(~right[order])[counts - 1] / counts
