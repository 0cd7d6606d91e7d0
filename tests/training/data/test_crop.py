"""Crops are windows of the padded image, mirrored or not, and the same again for the same seed."""

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from training.data.crop import crop_and_flip


def cropped(images: Tensor, padding: int, flip: bool) -> Tensor:
    return crop_and_flip(images, padding, flip, Generator().manual_seed(0))


def test_each_crop_is_a_window_of_the_padded_image() -> None:
    images = torch.randint(0, 256, (20, 3, 8, 8), dtype=torch.uint8, generator=Generator().manual_seed(1))
    crops = cropped(images, padding=2, flip=False)
    padded = F.pad(images, [2] * 4)
    corners = set()
    for crop, whole in zip(crops, padded, strict=True):
        found = [(y, x) for y in range(5) for x in range(5) if (whole[:, y : y + 8, x : x + 8] == crop).all()]
        assert found
        corners.add(found[0])
    assert len(corners) > 5
    assert (crops == cropped(images, padding=2, flip=False)).all()


def test_about_half_are_mirrored() -> None:
    images = torch.arange(64, dtype=torch.uint8).view(1, 8, 8).repeat(200, 1, 1)
    flipped = cropped(images, padding=0, flip=True)
    mirrored = (flipped == images.flip(-1)).flatten(1).all(1)
    assert ((flipped == images).flatten(1).all(1) ^ mirrored).all()
    assert 60 < mirrored.sum() < 140


def test_nothing_asked_is_nothing_done() -> None:
    images = torch.zeros(2, 8, 8, dtype=torch.uint8)
    assert cropped(images, padding=0, flip=False) is images
