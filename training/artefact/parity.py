"""Proof that the files of an artefact answer as the trained network does, on real images."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training.artefact import torchscript
from training.data.dataset import Split
from training.errors import TrainingError
from training.networks.classifier import Classifier
from training.run import onnx_runtime
from training.run.predict import predict

RTOL = 1e-4
ATOL = 1e-5

# Compared beside the whole split, because kernels differ by batch size.
BATCHES = (1, 3, 32)

# So many images go through a network at once.
CHUNK = 500

# int8 must answer as fp32 does on this share of the images. It is no higher because many answers of a hardly trained
# network are close calls; the share reached is in metadata.json, and tests hold the shipped models to 99.9 %.
INT8_AGREEMENT = 0.97


@dataclass(frozen=True)
class Parity:
    """`max_error` is the greatest absolute difference of a logit."""

    images: int
    max_error: float


# Probabilities and logits, float32 [N, classes] each.
Outputs = tuple[np.ndarray, np.ndarray]


def eager_outputs(classifier: Classifier, temperature: float, images: Tensor) -> Outputs:
    """By the network as it was trained, batch norm not folded."""
    logits = predict(classifier, images)
    return (logits / temperature).softmax(dim=1).numpy(), logits.numpy()


def torchscript_outputs(path: Path, images: Tensor) -> Outputs:
    module = torchscript.read(path)
    with torch.inference_mode():
        outputs = [module(chunk) for chunk in images.split(CHUNK)]
    probabilities, logits = (torch.cat(parts).numpy() for parts in zip(*outputs, strict=True))
    return probabilities, logits


def onnx_outputs(path: Path, images: np.ndarray) -> Outputs:
    """Probabilities and logits, float32 [N, classes], by ONNX Runtime on the CPU."""
    session = onnx_runtime.imported().InferenceSession(str(path), providers=["CPUExecutionProvider"])
    chunks = np.array_split(images, max(1, len(images) // CHUNK))
    outputs = [session.run(["probabilities", "logits"], {"images": chunk}) for chunk in chunks]
    return np.concatenate([output[0] for output in outputs]), np.concatenate([output[1] for output in outputs])


def compare(what: str, outputs: Outputs, expected: Outputs) -> float:
    """The greatest absolute difference of a logit.

    Raises TrainingError where logits or probabilities differ past the tolerance, or an argmax differs.
    """
    for name, ours, theirs in zip(("probabilities", "logits"), outputs, expected, strict=True):
        if not np.allclose(ours, theirs, rtol=RTOL, atol=ATOL):
            error = np.abs(ours - theirs).max()
            raise TrainingError(f"{what}: {name} differ by up to {error:.3g}; allowed: rtol {RTOL}, atol {ATOL}")
    logits, expected_logits = outputs[1], expected[1]
    disagreeing = np.flatnonzero(logits.argmax(axis=1) != expected_logits.argmax(axis=1))
    if len(disagreeing):
        raise TrainingError(f"{what}: {len(disagreeing)} answers differ, the first at image {disagreeing[0]}")
    return float(np.abs(logits - expected_logits).max())


def prove(classifier: Classifier, temperature: float, folder: Path, images: Tensor) -> Parity:
    """Compares the eager network with TorchScript and ONNX on all `images` and on batches of 1, 3 and 32.

    images: uint8 [N, *shape] on the CPU. Raises TrainingError where one does not agree.
    """
    errors = []
    for count in (*BATCHES, len(images)):
        some = images[:count]
        eager = eager_outputs(classifier, temperature, some)
        errors.append(compare(f"ONNX at batch {count}", onnx_outputs(folder / "model.onnx", some.numpy()), eager))
        scripted = torchscript_outputs(folder / "model.pt", some)
        errors.append(compare(f"TorchScript at batch {count}", scripted, eager))
    return Parity(len(images), max(errors))


@dataclass(frozen=True)
class Int8Parity:
    """Of int8 against fp32 on `images`: the share of equal answers, and accuracy lost (negative: won)."""

    images: int
    agreement: float
    accuracy: float
    accuracy_lost: float

    @property
    def agrees(self) -> bool:
        return self.agreement >= INT8_AGREEMENT


def compare_int8(folder: Path, split: Split) -> Int8Parity:
    fp32, int8 = (
        torch.from_numpy(onnx_outputs(folder / name, split.images.numpy())[1]).argmax(dim=1)
        for name in ("model.onnx", "model.int8.onnx")
    )
    agreement = (fp32 == int8).double().mean().item()
    accuracies = [(answers == split.labels).double().mean().item() for answers in (fp32, int8)]
    return Int8Parity(len(split), agreement, accuracies[1], accuracies[0] - accuracies[1])
