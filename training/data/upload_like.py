"""Validation data of the kind that users upload: digits laid on paper, photographed badly, and read by the service's
normaliser. Temperature and reject threshold are fitted on it, because on clean MNIST every network is too sure.

MNIST's digits are of the validation split, and the letters in fonts that no training saw; pen strokes and blots come
from the generators that training draws from too, with other random numbers.
"""

from io import BytesIO

import numpy as np
import torch
from numpy.random import Generator
from PIL import Image, ImageFilter

from service.picture.normalise import normalise
from training.data import synthesis
from training.data.dataset import Dataset, Split

# It never changes, so that every network is calibrated on the same images.
SEED = 20_260_001

# So many are made of each kind; the first are fewer where the validation split has fewer.
MNIST_DIGITS = 4_000
OTHER_DIGITS = 1_000
NOT_DIGITS = 3_000


def photograph(ink: np.ndarray, rng: Generator) -> Image.Image:
    """`ink`, uint8 [H, W], on paper of any grey, cropped close or not, in uneven light, with noise, blur and JPEG."""
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    cropped = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = np.exp(rng.uniform(np.log(16), np.log(90))) / max(cropped.shape)
    width, height = (max(3, round(length * scale)) for length in reversed(cropped.shape))
    side = max(width, height)
    margin = rng.integers(0, max(2, side), size=4)
    large = Image.fromarray(cropped).resize((width, height), Image.Resampling.BICUBIC)
    page = Image.new("L", (width + int(margin[:2].sum()), height + int(margin[2:].sum())))
    page.paste(large, (int(margin[0]), int(margin[2])))
    covered = np.asarray(page.filter(ImageFilter.GaussianBlur(rng.uniform(0, side / 40))), dtype=np.float32) / 255
    paper = rng.uniform(110, 255)
    contrast = rng.uniform(0.35, 1) * paper
    y, x = np.mgrid[-1 : 1 : covered.shape[0] * 1j, -1 : 1 : covered.shape[1] * 1j]
    light = rng.normal(0, 10) * x + rng.normal(0, 10) * y - rng.uniform(0, 20) * (x * x + y * y)
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
        digit = normalise(photograph(ink, rng)).digit if ink.any() else None
        if digit is not None:
            images.append(digit)
            labels.append(label)
    return Split(torch.from_numpy(np.stack(images)), torch.tensor(labels))


def make(dataset: Dataset) -> Split:
    """Photographed validation digits, synthesised ones, and what is no digit, in a random order."""
    rng = np.random.default_rng(SEED)
    count = min(MNIST_DIGITS, len(dataset.validation))
    digits = dataset.validation.take(torch.arange(count))
    others = synthesis.digits(OTHER_DIGITS, SEED, held_out=True)
    nothing = synthesis.not_digits(NOT_DIGITS, SEED, dataset.validation, held_out=True)
    everything = digits + others + nothing
    return uploaded(everything.take(torch.from_numpy(rng.permutation(len(everything)))), rng)
