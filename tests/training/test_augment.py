"""Augmentation moves digits by as much as it says, each image by itself, and repeatably."""

import numpy as np
import pytest
import torch
from torch import Generator, Tensor

from tests.harness import Digits
from training.augment import NONE, Augmentation, augment


@pytest.fixture
def images(digits: Digits) -> Tensor:
    return torch.from_numpy(digits.images[::50])


def apply(images: Tensor, augmentation: Augmentation, seed: int = 0) -> Tensor:
    return augment(images, augmentation, Generator().manual_seed(seed))


def centres(images: Tensor) -> Tensor:
    """float [N, 2], column and row of the centre of mass."""
    mass = images.float()
    total = mass.sum(dim=(1, 2))
    places = torch.arange(images.shape[-1], dtype=torch.float32)
    return torch.stack([(mass.sum(1) @ places) / total, (mass.sum(2) @ places) / total], dim=1)


def test_shape_and_dtype_stay(images: Tensor) -> None:
    augmented = apply(images, Augmentation())
    assert augmented.shape == images.shape
    assert augmented.dtype == torch.uint8
    assert not torch.equal(augmented, images)


def test_none_is_the_identity(images: Tensor) -> None:
    assert torch.equal(apply(images, NONE), images)


def test_the_generator_alone_decides(images: Tensor) -> None:
    assert torch.equal(apply(images, Augmentation(), seed=1), apply(images, Augmentation(), seed=1))
    assert not torch.equal(apply(images, Augmentation(), seed=1), apply(images, Augmentation(), seed=2))


def test_every_image_draws_its_own() -> None:
    same = torch.zeros(8, 28, 28, dtype=torch.uint8)
    same[:, 6:22, 13:15] = 255
    augmented = apply(same, Augmentation())
    assert len({image.numpy().tobytes() for image in augmented}) == 8


def test_shift_is_bounded_in_pixels(images: Tensor) -> None:
    only_shift = Augmentation(degrees=0, scale=0, shear=0, shift=2, elastic=0)
    moved = (centres(apply(images, only_shift)) - centres(images)).abs()
    assert 1.5 < moved.max() <= 2.1


def test_rotation_is_bounded_in_degrees() -> None:
    bars = torch.zeros(200, 28, 28, dtype=torch.uint8)
    bars[:, 4:24, 13:15] = 255
    turned = apply(bars, Augmentation(degrees=20, scale=0, shear=0, shift=0, elastic=0)).numpy()
    angles = []
    for bar in turned:
        rows, columns = np.nonzero(bar > 128)
        angles.append(abs(np.degrees(np.arctan(np.polyfit(rows, columns, 1)[0]))))
    assert 17 < max(angles) < 22


def test_no_digit_is_mirrored(digits: Digits) -> None:
    """An augmented 2 stays closer to itself than to its mirror image."""
    twos = torch.from_numpy(digits.images[digits.labels == 2][:100])
    augmented = apply(twos, Augmentation(elastic=0)).float()
    to_itself = (augmented - twos.float()).abs().sum(dim=(1, 2))
    to_mirror = (augmented - twos.flip(2).float()).abs().sum(dim=(1, 2))
    assert (to_itself < to_mirror).float().mean() > 0.9
