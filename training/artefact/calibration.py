"""What turns logits into a confidence and a refusal, fitted on images that the network has not trained on.

An image is a picture's candidates, as the service reads them: the geometric mean of their probabilities is the answer.
"""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from scipy.optimize import minimize_scalar
from torch import Tensor
from torch.nn import functional as F

from service.picture.candidates import LEAST
from training.data.dataset import NOT_A_DIGIT
from training.errors import TrainingError
from training.judge.accuracy import Accuracy
from training.judge.confidence import Operating, risk_coverage

# The reject threshold is put where this share of the validation images that belong to no class reach it, and, if that
# is higher, where of those accepted that do belong to one this share are read wrong.
FALSE_ACCEPT_RATE = 0.035
WRONG_SHARE = 0.005

# Of an only candidate: what is less is no number whose logarithm can be taken.
LEAST_ALONE = 1e-12

# As many as an answer has: whether it is accepted is decided by what it shows.
PLACES = 6

# A threshold that nothing reaches.
NOTHING = math.nextafter(1, 2)

# Where every validation image belongs to a class, the threshold is put where this share of them reach it.
ACCEPTED_SHARE = 0.995


class Fitted(NamedTuple):
    temperature: float
    reject_threshold: float


@dataclass(frozen=True)
class Calibration:
    """The shares are of images that nothing was fitted on; of what is accepted and of a class, `right_share` is right.

    It is None where nothing is accepted, and `false_accept_rate` where there were only images of a class to choose the
    threshold on; `risk_coverage` is what other thresholds would come to.
    """

    temperature: float
    reject_threshold: float
    images: int
    accepted_share: float
    right_share: float | None
    right_interval_95: tuple[float, float] | None
    false_accept_rate: float | None
    risk_coverage: tuple[Operating, ...]


@dataclass(frozen=True)
class Read:
    """logits: float32 [M, classes], of the candidates of N images; owners: int64 [M], the number of each one's image.

    labels: int64 [N], `NOT_A_DIGIT` among them or not; of every kind as many at even as at odd numbers. An image may
    have no candidate.
    """

    logits: Tensor
    owners: Tensor
    labels: Tensor

    def part(self, start: int) -> "Read":
        """Every other image, from number `start`."""
        kept = self.owners % 2 == start
        return Read(self.logits[kept], self.owners[kept] // 2, self.labels[start::2])

    @property
    def seen(self) -> Tensor:
        """bool [N]: what has a candidate; the rest is refused whatever the threshold."""
        return torch.bincount(self.owners, minlength=len(self.labels)) > 0

    @property
    def known(self) -> Tensor:
        """bool [N]: what belongs to a class."""
        return self.labels != NOT_A_DIGIT

    def probabilities(self, temperature: float) -> Tensor:
        """float32 [N, classes], what each image's candidates come to; 0 for what has none."""
        counts = torch.bincount(self.owners, minlength=len(self.labels))
        # As the service does: an only candidate is as sure as the network is.
        least = torch.where(counts > 1, LEAST, LEAST_ALONE)[self.owners, None]
        each = (self.logits / temperature).softmax(dim=1).clamp(min=least).log()
        sums = torch.zeros(len(self.labels), each.shape[1]).index_add(0, self.owners, each)
        return (sums / counts.clamp(min=1)[:, None]).softmax(dim=1) * (counts > 0)[:, None]


def of_single_images(logits: Tensor, labels: Tensor) -> Read:
    return Read(logits, torch.arange(len(logits)), labels)


def calibrate(read: Read, kept: Fitted | None = None) -> Calibration:
    """Fits on every other image, unless what was fitted before is `kept`, and measures on the rest.

    Raises TrainingError where one of the halves holds no image of a class that the normaliser lets through.
    """
    fitted, measured = read.part(0), read.part(1)
    if not all((half.seen & half.known).any() for half in (fitted, measured)):
        raise TrainingError(f"of {len(read.labels)} pictures too few hold a digit that is not refused unread")
    temperature, threshold = kept or fit(fitted)
    return Calibration(temperature, threshold, len(read.labels), **shares(measured, temperature, threshold))


def fit(read: Read) -> Fitted:
    temperature = fit_temperature(read)
    return Fitted(temperature, reject_threshold(read, temperature))


def shares(read: Read, temperature: float, threshold: float) -> dict[str, Any]:
    """The part of a `Calibration` that is measured."""
    probabilities = read.probabilities(temperature)
    confidences = sureness(probabilities)
    accepted = (confidences >= threshold) & read.seen & read.known
    right = (probabilities.argmax(dim=1) == read.labels) & read.seen
    strangers = ~read.known
    of_accepted = Accuracy(int(right[accepted].sum()), int(accepted.sum())) if accepted.any() else None
    of_digits, of_others = (confidences[part].numpy() for part in (read.known, strangers))
    return {
        "accepted_share": accepted[read.known].float().mean().item(),
        "right_share": of_accepted and of_accepted.share,
        "right_interval_95": of_accepted and of_accepted.interval,
        "false_accept_rate": (confidences[strangers] >= threshold).float().mean().item() if strangers.any() else None,
        "risk_coverage": risk_coverage(of_digits, right[read.known].numpy(), of_others),
    }


def reject_threshold(read: Read, temperature: float) -> float:
    probabilities = read.probabilities(temperature)
    sure = sureness(probabilities)
    known = read.known & read.seen
    if read.known.all():
        return torch.quantile(sure[known], 1 - ACCEPTED_SHARE).item()
    # Those that are refused unread count among those that are to be kept out.
    against_strangers = torch.quantile(sure[~read.known], 1 - FALSE_ACCEPT_RATE).item()
    wrong = probabilities.argmax(dim=1)[known] != read.labels[known]
    return max(against_strangers, against_mistakes(sure[known], wrong))


def sureness(probabilities: Tensor) -> Tensor:
    """float64 [N], as the service answers them."""
    return probabilities.amax(dim=1).double().round(decimals=PLACES)


def against_mistakes(sure: Tensor, wrong: Tensor) -> float:
    """The lowest threshold at which no more than `WRONG_SHARE` of what reaches it is wrong."""
    falling, order = sure.sort(descending=True)
    shares = wrong[order].float().cumsum(0) / torch.arange(1, len(order) + 1)
    # Those that are equally sure reach it together.
    parts = torch.cat([falling[1:] < falling[:-1], torch.ones(1, dtype=torch.bool)])
    kept = torch.nonzero((shares <= WRONG_SHARE) & parts)
    return falling[kept[-1]].item() if len(kept) else NOTHING


def fit_temperature(read: Read) -> float:
    """The temperature of least cross entropy (Guo et al. 2017) of the images that belong to a class."""
    known = read.known & read.seen

    def loss(log_temperature: float) -> float:
        probabilities = read.probabilities(math.exp(log_temperature))[known]
        return F.nll_loss(probabilities.clamp(min=1e-12).log(), read.labels[known]).item()

    return math.exp(minimize_scalar(loss, bounds=(math.log(0.05), math.log(20)), method="bounded").x)
