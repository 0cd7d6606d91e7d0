"""Augmentation of canonical images: another hand, another pen, another scanner.

One random affine map and one smooth displacement per image, composed into a single sampling grid, so that an image
is interpolated once; then the width of the stroke, blur, contrast, and remnants of what stood around the digit.
Everything is batched and stays on the device of the images. No flips: a mirrored 2 or 6 is no digit.
"""

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from training.errors import TrainingError

# At a relative size of 1 an image could shrink to nothing; the last three are shares and probabilities.
MOST = {"degrees": 180, "scale": 0.9, "blur": 1, "grain": 1, "remnants": 1}


@dataclass(frozen=True)
class Augmentation:
    """The first five: each image draws uniformly from ± these. All zero means no augmentation."""

    degrees: float = 12.0
    scale: float = 0.12
    """relative size, drawn for width and height apart"""
    shear: float = 0.2
    """horizontal displacement per unit of height: the slant of a handwriting"""
    shift: float = 2.0
    """pixels"""
    elastic: float = 1.2
    """pixels, amplitude of a displacement that varies smoothly over the image (after Simard et al. 2003)"""
    stroke: float = 1.0
    """1: a stroke grows by up to 1.5 pixels on each side, or shrinks by half a pixel; for half of the images"""
    blur: float = 1.0
    """share of a 3×3 mean in the image, 0 to this, and then contrast as much; for half of the images"""
    grain: float = 0.15
    """probability of ragged edges, as one-bit scans have"""
    remnants: float = 0.1
    """probability of a bit of a line or a dot beside the digit"""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            most = MOST.get(name, math.inf)
            if not (0 <= value <= most and math.isfinite(value)):
                allowed = f"0 to {most}" if name in MOST else "0 or more, and finite"
                raise TrainingError(f"{name} of the augmentation is {value}; it must be {allowed}")


# The displacement is drawn on a coarse grid of so many knots a side and interpolated between them.
ELASTIC_KNOTS = 5


def uniform(count: int, amplitude: float, like: Tensor, generator: Generator) -> Tensor:
    """float32 [count], uniform in ±amplitude."""
    return (torch.rand(count, generator=generator, device=like.device) * 2 - 1) * amplitude


def half_of(values: Tensor, generator: Generator) -> Tensor:
    """`values`, about half of them set to 0."""
    return values * (torch.rand(len(values), generator=generator, device=values.device) < 0.5)


def affine_matrices(augmentation: Augmentation, zoom: Tensor, generator: Generator, side: int) -> Tensor:
    """float32 [N, 2, 3], output to input coordinates in [-1, 1], as `F.affine_grid` takes them. zoom: [N]."""
    count = len(zoom)
    angle = uniform(count, math.radians(augmentation.degrees), zoom, generator)
    width = zoom * (1 + uniform(count, augmentation.scale, zoom, generator))
    height = zoom * (1 + uniform(count, augmentation.scale, zoom, generator))
    shear = uniform(count, augmentation.shear, zoom, generator)
    shift_x = uniform(count, 2 * augmentation.shift / side, zoom, generator)
    shift_y = uniform(count, 2 * augmentation.shift / side, zoom, generator)
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


def widen(pixels: Tensor, growth: Tensor) -> Tensor:
    """Strokes wider by `growth` pixels on each side, or thinner where it is negative. pixels: [N, 1, H, W]."""
    by_one = F.max_pool2d(pixels, 3, stride=1, padding=1)
    by_two = F.max_pool2d(by_one, 3, stride=1, padding=1)
    thinner = -F.max_pool2d(-pixels, 3, stride=1, padding=1)
    amount = growth[:, None, None, None]
    one = torch.where(amount > 0, by_one, thinner)
    widened = torch.lerp(pixels, one, amount.abs().clamp(max=1))
    return torch.where(amount > 1, torch.lerp(by_one, by_two, (amount - 1).clamp(0, 1)), widened)


def blurred(pixels: Tensor, share: Tensor, contrast: Tensor) -> Tensor:
    """A share of a 3×3 mean mixed in, then stretched around the middle grey. share, contrast: [N]."""
    soft = torch.lerp(pixels, F.avg_pool2d(pixels, 3, stride=1, padding=1), share[:, None, None, None])
    stretched = (soft - 127.5) * (1 + contrast[:, None, None, None]) + 127.5
    return torch.where(contrast[:, None, None, None] > 0, stretched.clamp(0, 255), soft)


def grained(pixels: Tensor, probability: float, generator: Generator) -> Tensor:
    """Edges made hard and ragged in some images: noise added, then nearly cut at the middle grey."""
    noise = torch.randn(pixels.shape, generator=generator, device=pixels.device) * 35
    chosen = torch.rand(len(pixels), 1, 1, 1, generator=generator, device=pixels.device) < probability
    edge = (pixels > 30) & (pixels < 225)
    ragged = ((pixels + noise * edge - 127.5) * 3 + 127.5).clamp(0, 255)
    return torch.where(chosen, ragged, pixels)


def remnants(pixels: Tensor, probability: float, generator: Generator) -> Tensor:
    """A bit of a ruled line or of a box, down to a dot, laid near the border of some images."""
    count, side = len(pixels), pixels.shape[-1]
    draw = torch.rand(6, count, 1, 1, 1, generator=generator, device=pixels.device)
    along = torch.arange(side, device=pixels.device)
    rows, columns = along.view(1, 1, -1, 1), along.view(1, 1, 1, -1)
    start, length = draw[0] * side, draw[1] * draw[1] * side + 1
    edge = torch.where(draw[2] < 0.5, 0, side) + (draw[3] * 2 - 1) * 4
    lying = ((columns - start).abs() < length) & ((rows - edge).abs() < 1)
    standing = ((rows - start).abs() < length) & ((columns - edge).abs() < 1)
    line = torch.where(draw[4] < 0.5, lying, standing) & (draw[5] < probability)
    return torch.where(line, 255.0, pixels)


def full_ink(pixels: Tensor) -> Tensor:
    """The darkest ink is 255, as the normaliser makes it; what thinning has all but erased is left faint."""
    return pixels * (255 / pixels.amax(dim=(1, 2, 3), keepdim=True).clamp(min=50))


def augment(images: Tensor, augmentation: Augmentation, generator: Generator) -> Tensor:
    """uint8 [N, H, W] → uint8 [N, H, W]; `generator` lives on the device of the images."""
    if augmentation == NONE:
        return images
    pixels = images.unsqueeze(1).to(torch.float32)
    side = images.shape[-1]
    growth = half_of(uniform(len(images), 0.5 * augmentation.stroke, pixels, generator), generator)
    growth = torch.where(growth > 0, 3 * growth, growth)
    # What grows is made smaller first: the normaliser scales every digit into the same box.
    zoom = 1 + growth.clamp(min=0) / 10
    grid = F.affine_grid(affine_matrices(augmentation, zoom, generator, side), list(pixels.shape), align_corners=False)
    if augmentation.elastic:
        grid = grid + elastic_displacement(augmentation.elastic, images, generator)
    warped = F.grid_sample(pixels, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    if augmentation.stroke:
        warped = widen(warped, growth)
    if augmentation.blur:
        share = half_of(uniform(len(images), augmentation.blur, pixels, generator).abs(), generator)
        contrast = half_of(uniform(len(images), 2 * augmentation.blur, pixels, generator), generator)
        warped = blurred(warped, share, contrast)
    if augmentation.grain:
        warped = grained(warped, augmentation.grain, generator)
    if augmentation.remnants:
        warped = remnants(warped, augmentation.remnants, generator)
    return full_ink(warped).squeeze(1).round_().to(torch.uint8)


NONE = Augmentation(degrees=0, scale=0, shear=0, shift=0, elastic=0, stroke=0, blur=0, grain=0, remnants=0)
