"""GoogLeNet as a widely copied tutorial prints it: no batch normalisation, and few of the paper's ReLUs.

Only those between a reduction and its 3×3 or 5×5 convolution are there; none after the stem, none after a branch.
5,977,530 parameters. Kept to compare with; it can diverge with Adam at 0.001.
"""

import torch
from torch import Tensor, nn

from training.networks.googlenet import (
    CONTRACT,
    INCEPTION_3A,
    INCEPTION_3B,
    INCEPTION_4,
    INCEPTION_5,
    InceptionSizes,
    SmallMapConv2d,
    halve,
)

__all__ = ["CONTRACT", "GoogLeNetPlain"]


def convolution(inputs: int, outputs: int, kernel: int, stride: int = 1) -> SmallMapConv2d:
    return SmallMapConv2d(inputs, outputs, kernel, stride, padding=kernel // 2)


def reduced(inputs: int, reduction: int, outputs: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(convolution(inputs, reduction, 1), nn.ReLU(), convolution(reduction, outputs, kernel))


class PlainInception(nn.Module):
    """N x sizes.inputs x H x W → N x sizes.outputs x H x W: four branches, joined along the channels."""

    def __init__(self, sizes: InceptionSizes) -> None:
        super().__init__()
        self.branch1 = convolution(sizes.inputs, sizes.c1, 1)
        self.branch3 = reduced(sizes.inputs, sizes.c3_reduce, sizes.c3, 3)
        self.branch5 = reduced(sizes.inputs, sizes.c5_reduce, sizes.c5, 5)
        self.branch_pool = nn.Sequential(
            nn.MaxPool2d(3, stride=1, padding=1), convolution(sizes.inputs, sizes.pool_projection, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.branch1(x), self.branch3(x), self.branch5(x), self.branch_pool(x)], dim=1)


class GoogLeNetPlain(nn.Sequential):
    """float32 [N, 1, 28, 28] → logits [N, classes]."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__(
            convolution(1, 64, 7, stride=2),  # N x 64 x 14 x 14
            halve(),  # N x 64 x 7 x 7
            convolution(64, 64, 1),  # N x 64 x 7 x 7
            convolution(64, 192, 3),  # N x 192 x 7 x 7
            halve(),  # N x 192 x 4 x 4
            PlainInception(INCEPTION_3A),  # N x 256 x 4 x 4
            PlainInception(INCEPTION_3B),  # N x 480 x 4 x 4
            halve(),  # N x 480 x 2 x 2
            *map(PlainInception, INCEPTION_4),  # N x 832 x 2 x 2
            halve(),  # N x 832 x 1 x 1
            *map(PlainInception, INCEPTION_5),  # N x 1024 x 1 x 1
            nn.AdaptiveAvgPool2d(1),  # N x 1024 x 1 x 1
            nn.Flatten(),  # N x 1024
            nn.Dropout(0.4),
            nn.Linear(1024, classes),  # N x classes
        )
