"""What turns logits into a confidence and a refusal: fitted on validation data, never on the test split."""

import math

import torch
from scipy.optimize import minimize_scalar
from torch import Tensor
from torch.nn import functional as F

ACCEPTED_SHARE = 0.995
"""Of validation images: so many of them are at or above the reject threshold."""


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """The temperature of least cross entropy (Guo et al. 2017). logits: float32 [N, classes]; labels: int64 [N]."""

    def loss(log_temperature: float) -> float:
        return F.cross_entropy(logits / math.exp(log_temperature), labels).item()

    return math.exp(minimize_scalar(loss, bounds=(math.log(0.05), math.log(20)), method="bounded").x)


def reject_threshold(logits: Tensor, temperature: float) -> float:
    """The confidence that `ACCEPTED_SHARE` of these images reach."""
    confidences = (logits / temperature).softmax(dim=1).amax(dim=1)
    return torch.quantile(confidences, 1 - ACCEPTED_SHARE).item()
