"""Digits as the service's normaliser hands them on: scenes made by code, normalised as uploads are.

A network learns from them what the normaliser makes of real pictures, its mistakes among them. Temperature and reject
threshold are fitted on others, from held-out digits, fonts and random numbers, because on clean MNIST every network is
too sure.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.random import Generator
from scipy.ndimage import gaussian_filter
from torch import Tensor

from service.picture.canonical import canonical
from service.picture.normalise import normalise_grey
from training.data.dataset import NOT_A_DIGIT, Dataset, Split
from training.data.processes import in_chunks
from training.data.scene import Scene
from training.data.scenes import Sources, any_scene

# It never changes, so that every network is calibrated on the same pictures.
SEED = 20_260_001
PICTURES = 8_000

# How alike a candidate and the true ink, both canonical, are where it is the digit, and where it is something else:
# what lies between is neither learned nor judged by.
ALIKE, UNLIKE = 0.75, 0.45


@dataclass(frozen=True)
class Uploads:
    """What became of N pictures: M candidates, uint8 [M, 28, 28], each with the number of its picture, int64 [M], in
    order. labels: int64 [N]. likeness: float32 [M], of each candidate to the true ink, 0 to 1."""

    candidates: Tensor
    owners: Tensor
    labels: Tensor
    likeness: Tensor

    def to_learn(self) -> Split:
        """Each candidate by itself: a digit where it is one, none where the normaliser took something else for it."""
        labels = self.labels[self.owners]
        is_it = (labels == NOT_A_DIGIT) | (self.likeness >= ALIKE)
        is_not = self.likeness < UNLIKE
        kept = is_it | is_not
        return Split(self.candidates[kept], torch.where(is_it, labels, NOT_A_DIGIT)[kept])


def make(count: int, seed: int, sources: Sources) -> Uploads:
    """The candidates of `count` scenes; those that the normaliser refuses have none."""
    made = in_chunks(candidates_of_scenes, count, [seed, 5], sources)
    firsts = np.cumsum([0, *(len(labels) for _, _, labels, _ in made)])
    owners = [owners + first for (_, owners, _, _), first in zip(made, firsts.tolist(), strict=False)]
    return Uploads(
        torch.from_numpy(np.concatenate([candidates for candidates, _, _, _ in made])),
        torch.from_numpy(np.concatenate(owners)),
        torch.from_numpy(np.concatenate([labels for _, _, labels, _ in made])),
        torch.from_numpy(np.concatenate([likeness for _, _, _, likeness in made])),
    )


def of_split(split: Split) -> Uploads:
    """Each image as the only candidate of a picture."""
    return Uploads(split.images, torch.arange(len(split)), split.labels, torch.ones(len(split)))


def held_out(dataset: Dataset, fonts: str) -> Uploads:
    """For calibration, from the validation split."""
    return make(PICTURES, SEED, Sources(dataset.validation, fonts, held_out=True))


Arrays = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def candidates_of_scenes(sources: Sources, rng: Generator, count: int) -> Arrays:
    """candidates, owners, labels and likeness, as in `Uploads`."""
    candidates, owners, labels, likeness = [], [], [], []
    for number in range(count):
        scene, label = any_scene(sources, rng)
        labels.append(label)
        size = scene.picture.shape[1], scene.picture.shape[0]
        digits = normalise_grey(scene.picture.astype(np.float32), size).digits
        for digit in digits if digits is not None else ():
            candidates.append(digit)
            owners.append(number)
            likeness.append(alike(digit, scene))
    return (
        np.array(candidates, np.uint8).reshape(-1, 28, 28),
        np.array(owners, np.int64),
        np.array(labels, np.int64),
        np.array(likeness, np.float32),
    )


def alike(digit: np.ndarray, scene: Scene) -> float:
    """The cosine of a candidate and the scene's true ink made canonical, both a little blurred: 0 to 1."""
    if scene.ink.max() <= 127:
        return 0.0
    truth = canonical(scene.ink.astype(np.float32) / np.float32(255))
    a, b = (gaussian_filter(image.astype(np.float32), 1.0) for image in (digit, truth))
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()))
