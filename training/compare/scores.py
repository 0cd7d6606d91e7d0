"""What tells whether an answer is right: `python -m training.compare.scores exported/googlenet exported/alexnet DIR`.

The scores of the literature side by side, on labelled pictures that no model was trained on: the softmax's largest
probability (Hendrycks and Gimpel 2017), energy (Liu et al. 2020), the largest logit (Hendrycks et al. 2022), margins,
and the agreement of two networks (Lakshminarayanan et al. 2017). A picture of several candidates has the answer that
the service gives; scores of logits are the least of them.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import tyro
from scipy.special import logsumexp

from training.artefact.calibration import Read
from training.artefact.parity import onnx_outputs
from training.data import labelled
from training.data.dataset import NOT_A_DIGIT
from training.data.upload_like import Uploads
from training.errors import TrainingError
from training.judge.confidence import Bools, Floats, auroc, operating
from training.networks import NETWORKS

# Of the digits, the share that is accepted where scores are compared.
COVERAGE = 0.95


@dataclass(frozen=True)
class Arguments:
    model: tyro.conf.Positional[Path]
    """an artefact's folder, whose answers are scored; its fp32 file is asked"""
    other: tyro.conf.Positional[Path]
    """that of the network which is asked as well"""
    pictures: tyro.conf.Positional[Path]
    """a folder of labelled pictures, or of such folders"""


def read(model: Path, uploads: Uploads) -> tuple[Read, Floats]:
    """And float64 [N, classes]: the probabilities of each picture's answer, 0 where it has no candidate."""
    if not (model / "metadata.json").is_file():
        raise TrainingError(f"{model} is no exported model: it has no metadata.json")
    _, logits = onnx_outputs(model / "model.onnx", uploads.candidates.numpy())
    made = Read(torch.from_numpy(logits), uploads.owners, uploads.labels)
    temperature = json.loads((model / "metadata.json").read_text())["temperature"]
    probabilities = made.probabilities(temperature).double().numpy()
    return made, probabilities * made.seen.numpy()[:, np.newaxis]


def scores(read: Read, own: Floats, other: Floats) -> dict[str, Floats]:
    """float64 [N] by name: how sure `read`, whose answers have the probabilities `own`, is by each."""
    falling = -np.sort(-read.logits.double().numpy(), axis=1)
    sure = -np.sort(-own, axis=1)
    pictures = np.arange(len(own))
    return {
        "largest probability": sure[:, 0],
        "margin of probabilities": sure[:, 0] - sure[:, 1],
        "energy": least(logsumexp(falling, axis=1), read),
        "largest logit": least(falling[:, 0], read),
        "margin of logits": least(falling[:, 0] - falling[:, 1], read),
        "mean with the other network": (sure[:, 0] + other[pictures, own.argmax(axis=1)]) / 2,
        "least of both networks": np.minimum(sure[:, 0], other[pictures, own.argmax(axis=1)]),
    }


def least(of_candidates: Floats, read: Read) -> Floats:
    """float64 [M] → [N]; what has no candidate is below all others."""
    found = np.full(len(read.labels), np.inf)
    np.minimum.at(found, read.owners.numpy(), of_candidates)
    return np.where(read.seen.numpy(), found, of_candidates.min() - 1)


def line(name: str, score: Floats, right: Bools, digit: Bools) -> str:
    point = operating(float(np.quantile(score[digit], 1 - COVERAGE)), score[digit], right[digit], score[~digit])
    others = "" if point.false_accept_rate is None else f"{point.false_accept_rate:14.2%}"
    return f"{name:28s} {auroc(score[right & digit], score[~(right & digit)]):7.4f} {point.risk:11.3%} {others}"


def report(arguments: Arguments) -> None:
    """Raises TrainingError where a folder holds no pictures, or no model."""
    uploads = labelled.read(labelled.find(arguments.pictures), NETWORKS["googlenet"].contract)
    made, own = read(arguments.model, uploads)
    _, other = read(arguments.other, uploads)
    labels = uploads.labels.numpy()
    digit = labels != NOT_A_DIGIT
    right = (own.argmax(axis=1) == labels) & made.seen.numpy()
    print(f"{digit.sum()} digits, {(~digit).sum()} others; right {right[digit].mean():.2%}")
    print(f"of the digits {COVERAGE:.0%} accepted: {'AUROC':>12s} {'read wrong':>11s} {'others accepted':>15s}")
    for name, score in scores(made, own, other).items():
        print(line(name, score, right, digit))


def main(arguments: list[str] | None = None) -> None:
    try:
        report(tyro.cli(Arguments, prog="python -m training.compare.scores", description=__doc__, args=arguments))
    except TrainingError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
