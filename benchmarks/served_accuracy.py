"""Accuracy of what is served: `python -m benchmarks.served_accuracy --url http://localhost:3000 --data-dir DIR`.

Sends every image of MNIST's test split as a PNG to /classify of a running service, in requests of 100 files, to each
model that reads digits, and counts the right answers: the network, the graph around it, the normaliser and the
service, all at once.
"""

import json
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import httpx
import numpy as np
from PIL import Image
from torch import Tensor

from benchmarks import command_line
from training.data.dataset import Split, load_dataset
from training.judge.accuracy import Accuracy
from training.judge.confidence import expected_calibration_error
from training.networks import NETWORKS

FILES = 100


@dataclass(frozen=True)
class Arguments:
    url: str = "http://localhost:3000"
    data_dir: Path = Path("data")


def png(pixels: Tensor) -> bytes:
    buffer = BytesIO()
    Image.fromarray(pixels.numpy()).save(buffer, "PNG")
    return buffer.getvalue()


def reads_digits(client: httpx.Client, model: str, image: Tensor) -> bool:
    """Models of other things answer with `label` in place of `digit`."""
    files = [("image", ("0.png", png(image)))]
    return "digit" in client.post("/classify", params={"model": model}, files=files).raise_for_status().json()


def served(client: httpx.Client, model: str, split: Split) -> tuple[Accuracy, float, float]:
    """The accuracy, the share of answers that the service accepted, and the calibration error."""
    right: list[bool] = []
    confidences: list[float] = []
    accepted = 0
    for start in range(0, len(split), FILES):
        files = [
            ("image", (f"{start + i}.png", png(image))) for i, image in enumerate(split.images[start : start + FILES])
        ]
        answers = client.post("/classify", params={"model": model}, files=files).raise_for_status().json()
        labels = split.labels[start : start + FILES].tolist()
        right += [answer["digit"] == label for answer, label in zip(answers, labels, strict=True)]
        confidences += [answer["confidence"] for answer in answers]
        accepted += sum(answer["accepted"] for answer in answers)
    error = expected_calibration_error(np.array(confidences), np.array(right))
    return Accuracy(sum(right), len(split)), accepted / len(split), error


def main() -> None:
    arguments = command_line.parse(Arguments, "served_accuracy", __doc__)
    with command_line.readable_failures():
        split = load_dataset("mnist", arguments.data_dir, NETWORKS["googlenet"].contract).test
    with httpx.Client(base_url=arguments.url, timeout=120) as client:
        for name, model in client.get("/models").raise_for_status().json().items():
            if not reads_digits(client, name, split.images[0]):
                print(f"{name} is left out: it reads labels ({', '.join(model['labels'])}), not digits")
                continue
            accuracy, accepted, error = served(client, name, split)
            low, high = accuracy.interval
            print(f"{name} {model['precision']} {model['sha256'][:12]} on {model['provider']}: {accuracy}, "
                  f"{accepted:.2%} accepted, ECE {error:.2%}")  # fmt: skip
            print(json.dumps({"benchmark": "served_accuracy", "model": name, "sha256": model["sha256"],
                              "n": accuracy.count, "accuracy": accuracy.share, "interval_95": [low, high],
                              "accepted": accepted, "ece": error, "precision": model["precision"]}))  # fmt: skip


if __name__ == "__main__":
    main()
