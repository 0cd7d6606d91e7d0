"""Validation data of the kind that users upload: digits laid on paper, photographed badly, and read by the service's
normaliser. Temperature and reject threshold are fitted on it, because on clean MNIST every network is too sure.
"""

from io import BytesIO

import numpy as np
import torch
from numpy.random import Generator
from PIL import Image, ImageFilter

from service.normalise import normalise
from training import synthesis
from training.data import Dataset, Split

SEED = 20_260_001
"""One for ever: every network is calibrated on the same images."""

MNIST_DIGITS = 4_000
OTHER_DIGITS = 1_000
NOT_DIGITS = 3_000


def photograph(ink: np.ndarray, rng: Generator) -> Image.Image:
    """`ink`, uint8 [H, W], enlarged or not, on paper of any grey, with a shadow, noise, blur and JPEG's blocks."""
    side = int(np.exp(rng.uniform(np.log(20), np.log(110))))
    margin = rng.integers(0, max(2, side // 2), size=4)
    large = Image.fromarray(ink).resize((side, side), Image.Resampling.BICUBIC)
    page = Image.new("L", (side + int(margin[:2].sum()), side + int(margin[2:].sum())))
    page.paste(large, (int(margin[0]), int(margin[2])))
    covered = np.asarray(page.filter(ImageFilter.GaussianBlur(rng.uniform(0, side / 40))), dtype=np.float32) / 255
    paper = rng.uniform(110, 255)
    contrast = rng.uniform(0.35, 1) * paper
    y, x = np.mgrid[-1 : 1 : covered.shape[0] * 1j, -1 : 1 : covered.shape[1] * 1j]
    light = rng.normal(0, 10) * x + rng.normal(0, 10) * y
    grey = paper + light - contrast * covered + rng.normal(0, rng.uniform(0, 5), covered.shape)
    picture = Image.fromarray(np.clip(255 - grey if rng.random() < 0.25 else grey, 0, 255).astype(np.uint8))
    if rng.random() < 0.5:
        return picture
    compressed = BytesIO()
    picture.save(compressed, "JPEG", quality=int(rng.integers(40, 95)))
    return Image.open(compressed)


def uploaded(split: Split, rng: Generator) -> Split:
    """Each image of `split` photographed and normalised; those that the normaliser refuses are left out."""
    images, labels = [], []
    for ink, label in zip(split.images.numpy(), split.labels.tolist(), strict=True):
        digit = normalise(photograph(ink, rng)).digit
        if digit is not None:
            images.append(digit)
            labels.append(label)
    return Split(torch.from_numpy(np.stack(images)), torch.tensor(labels))


def make(dataset: Dataset) -> Split:
    """Photographed validation digits, digits in hands and fonts that no training saw, and what is no digit."""
    rng = np.random.default_rng(SEED)
    count = min(MNIST_DIGITS, len(dataset.validation))
    digits = dataset.validation.take(torch.arange(count))
    others = synthesis.digits(OTHER_DIGITS, SEED, held_out=True)
    nothing = synthesis.not_digits(NOT_DIGITS, SEED, dataset.validation, held_out=True)
    return uploaded(digits + others + nothing, rng)
