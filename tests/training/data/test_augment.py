"""Augmentation moves digits by as much as it says, each image by itself, and repeatably."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Generator, Tensor

from tests.harness import Digits
from training.data.augment import NONE, Augmentation, augment


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
    only_shift = replace(NONE, shift=2)
    moved = (centres(apply(images, only_shift)) - centres(images)).abs()
    assert 1.5 < moved.max() <= 2.1


def test_rotation_is_bounded_in_degrees() -> None:
    bars = torch.zeros(200, 28, 28, dtype=torch.uint8)
    bars[:, 4:24, 13:15] = 255
    turned = apply(bars, replace(NONE, degrees=20)).numpy()
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


def test_strokes_are_drawn_with_wider_and_thinner_pens() -> None:
    bars = torch.zeros(400, 28, 28, dtype=torch.uint8)
    bars[:, 4:24, 12:16] = 255
    widths = apply(bars, replace(NONE, stroke=1)).float().sum(dim=(1, 2)) / 255 / 20
    assert widths.min() < 3.2
    assert widths.max() > 6
    assert 0.3 < (widths == 4).float().mean() < 0.7


def test_a_digit_that_grows_stays_in_its_box(images: Tensor) -> None:
    solid = (images > 127).to(torch.uint8) * 255
    grown = apply(solid, replace(NONE, stroke=1)) > 127
    assert grown.any(dim=2).sum(dim=1).float().quantile(0.99) <= 22


def test_blur_leaves_as_much_ink(images: Tensor) -> None:
    soft = apply(images, replace(NONE, blur=1)).float().sum(dim=(1, 2))
    assert (soft / images.float().sum(dim=(1, 2))).median() == pytest.approx(1, abs=0.15)
    assert not torch.equal(apply(images, replace(NONE, blur=1)), images)


@pytest.mark.parametrize("probability", [0.0, 0.3, 1.0])
def test_remnants_come_as_often_as_asked_for_and_never_over_the_digit(probability: float) -> None:
    empty = torch.zeros(1000, 28, 28, dtype=torch.uint8)
    marked = apply(empty, replace(NONE, remnants=probability))
    # Some fall outside of the image.
    assert 0.5 * probability <= marked.amax(dim=(1, 2)).bool().float().mean() <= probability
    assert marked[:, 6:22, 6:22].sum() == 0


def test_grain_makes_edges_hard(images: Tensor) -> None:
    ragged = apply(images, replace(NONE, grain=1))
    soft_pixels = ((images > 20) & (images < 235)).sum()
    assert ((ragged > 20) & (ragged < 235)).sum() < 0.6 * soft_pixels
