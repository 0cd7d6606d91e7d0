"""Augmentation of colour photographs: a random crop of the padded image, and mirroring (after He et al. 2016)."""

import torch
from torch import Generator, Tensor
from torch.nn import functional as F


def crop_and_flip(images: Tensor, padding: int, flip: bool, generator: Generator) -> Tensor:
    """uint8 [N, ..., H, W] → the same; `generator` lives on the device of the images."""
    if flip:
        mirrored = torch.rand(len(images), generator=generator, device=images.device) < 0.5
        images = torch.where(mirrored.view(-1, *[1] * (images.ndim - 1)), images.flip(-1), images)
    if not padding:
        return images
    height, width = images.shape[-2:]
    padded = F.pad(images, [padding] * 4)
    corners = torch.randint(0, 2 * padding + 1, (2, len(images)), generator=generator, device=images.device)
    rows = corners[0][:, None] + torch.arange(height, device=images.device)
    columns = corners[1][:, None] + torch.arange(width, device=images.device)
    picked = padded.movedim((-2, -1), (1, 2))[
        torch.arange(len(images), device=images.device)[:, None, None], rows[:, :, None], columns[:, None, :]
    ]
    return picked.movedim((1, 2), (-2, -1))
