"""Augmentation of canonical digits: one random affine map and one smooth displacement per image.

Both are composed into a single sampling grid, so an image is interpolated once. Everything is batched and stays
on the device of the images. No flips: a mirrored 2 or 6 is no digit.
"""

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Augmentation:
    """Each image draws uniformly from ± these; all zero means no augmentation."""

    degrees: float = 12.0
    scale: float = 0.12
    """relative size, drawn for width and height apart"""
    shear: float = 0.2
    """horizontal displacement per unit of height: the slant of a handwriting"""
    shift: float = 2.0
    """pixels"""
    elastic: float = 1.2
    """pixels, amplitude of a displacement that varies smoothly over the image (after Simard et al. 2003)"""


ELASTIC_KNOTS = 5
"""The displacement is drawn on a coarse grid of so many knots a side and interpolated between them."""


def uniform(count: int, amplitude: float, like: Tensor, generator: Generator) -> Tensor:
    """float32 [count], uniform in ±amplitude."""
    return (torch.rand(count, generator=generator, device=like.device) * 2 - 1) * amplitude


def affine_matrices(augmentation: Augmentation, images: Tensor, generator: Generator) -> Tensor:
    """float32 [N, 2, 3], output to input coordinates in [-1, 1], as `F.affine_grid` takes them."""
    count, side = len(images), images.shape[-1]
    angle = uniform(count, math.radians(augmentation.degrees), images, generator)
    width = 1 + uniform(count, augmentation.scale, images, generator)
    height = 1 + uniform(count, augmentation.scale, images, generator)
    shear = uniform(count, augmentation.shear, images, generator)
    shift_x = uniform(count, 2 * augmentation.shift / side, images, generator)
    shift_y = uniform(count, 2 * augmentation.shift / side, images, generator)
    cosine, sine = angle.cos(), angle.sin()
    row_x = torch.stack([cosine * width, (shear * cosine - sine) * height, shift_x], dim=1)
    row_y = torch.stack([sine * width, (shear * sine + cosine) * height, shift_y], dim=1)
    return torch.stack([row_x, row_y], dim=1)


def elastic_displacement(amplitude: float, images: Tensor, generator: Generator) -> Tensor:
    """float32 [N, H, W, 2] in the coordinates of a sampling grid."""
    count, side = len(images), images.shape[-1]
    shape = (count, 2, ELASTIC_KNOTS, ELASTIC_KNOTS)
    knots = torch.rand(shape, generator=generator, device=images.device) * 2 - 1
    field = F.interpolate(knots, size=images.shape[-2:], mode="bicubic", align_corners=True)
    return field.permute(0, 2, 3, 1) * (2 * amplitude / side)


def augment(images: Tensor, augmentation: Augmentation, generator: Generator) -> Tensor:
    """uint8 [N, H, W] → uint8 [N, H, W]; `generator` lives on the device of the images."""
    if augmentation == NONE:
        return images
    pixels = images.unsqueeze(1).to(torch.float32)
    matrices = affine_matrices(augmentation, images, generator)
    grid = F.affine_grid(matrices, list(pixels.shape), align_corners=False)
    if augmentation.elastic:
        grid = grid + elastic_displacement(augmentation.elastic, images, generator)
    warped = F.grid_sample(pixels, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    return warped.squeeze(1).round_().to(torch.uint8)


NONE = Augmentation(degrees=0, scale=0, shear=0, shift=0, elastic=0)
