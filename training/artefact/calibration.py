"""What turns logits into a confidence and a refusal, fitted on images that the network has not trained on."""

import math
from dataclasses import dataclass

import torch
from scipy.optimize import minimize_scalar
from torch import Tensor
from torch.nn import functional as F

from training.data.dataset import NOT_A_DIGIT

# The reject threshold is put where this share of the validation images that belong to no class reach it.
FALSE_ACCEPT_RATE = 0.03

# Where every validation image belongs to a class, the threshold is put where this share of them reach it.
ACCEPTED_SHARE = 0.995


@dataclass(frozen=True)
class Calibration:
    """The two shares are of images that nothing was fitted on.

    `false_accept_rate` is None where there were only images of a class to choose the threshold on.
    """

    temperature: float
    reject_threshold: float
    images: int
    accepted_share: float
    false_accept_rate: float | None


def calibrate(logits: Tensor, labels: Tensor) -> Calibration:
    """Fits on every other image, and measures on the rest.

    logits: float32 [N, classes]; labels: int64 [N] in a random order, `NOT_A_DIGIT` among them or not.
    """
    known = labels[::2] != NOT_A_DIGIT
    temperature = fit_temperature(logits[::2][known], labels[::2][known])
    sure = confidences(logits[::2], temperature)
    if known.all():
        threshold = torch.quantile(sure, 1 - ACCEPTED_SHARE).item()
    else:
        threshold = torch.quantile(sure[~known], 1 - FALSE_ACCEPT_RATE).item()
    accepted = (confidences(logits[1::2], temperature) >= threshold).float()
    strangers = labels[1::2] == NOT_A_DIGIT
    return Calibration(
        temperature=temperature,
        reject_threshold=threshold,
        images=len(labels),
        accepted_share=accepted[~strangers].mean().item(),
        false_accept_rate=accepted[strangers].mean().item() if strangers.any() else None,
    )


def confidences(logits: Tensor, temperature: float) -> Tensor:
    """The probability of the likeliest class, float32 [N]."""
    return (logits / temperature).softmax(dim=1).amax(dim=1)


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """The temperature of least cross entropy (Guo et al. 2017)."""

    def loss(log_temperature: float) -> float:
        return F.cross_entropy(logits / math.exp(log_temperature), labels).item()

    return math.exp(minimize_scalar(loss, bounds=(math.log(0.05), math.log(20)), method="bounded").x)
