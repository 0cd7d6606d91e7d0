"""GoogLeNet (Szegedy et al. 2015, "Going deeper with convolutions", table 1) for 28×28 grey images.

The paper's ReLU stands after every convolution; batch normalisation (Ioffe and Szegedy 2015) is added before
it and folded into the convolution at export, which leaves the paper's layers and 5,977,530 parameters.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.networks.contract import InputContract

CONTRACT = InputContract(size=28, network_size=28, mean=(0.5,), std=(0.5,))


class InceptionSizes(NamedTuple):
    """Channels of one inception block, in the order of the paper's table."""

    inputs: int
    c1: int
    c3_reduce: int
    c3: int
    c5_reduce: int
    c5: int
    pool_projection: int

    @property
    def outputs(self) -> int:
        return self.c1 + self.c3 + self.c5 + self.pool_projection


INCEPTION_3A = InceptionSizes(192, 64, 96, 128, 16, 32, 32)
INCEPTION_3B = InceptionSizes(256, 128, 128, 192, 32, 96, 64)
INCEPTION_4 = (
    InceptionSizes(480, 192, 96, 208, 16, 48, 64),
    InceptionSizes(512, 160, 112, 224, 24, 64, 64),
    InceptionSizes(512, 128, 128, 256, 24, 64, 64),
    InceptionSizes(512, 112, 144, 288, 32, 64, 64),
    InceptionSizes(528, 256, 160, 320, 32, 128, 128),
)
INCEPTION_5 = (
    InceptionSizes(832, 256, 160, 320, 32, 128, 128),
    InceptionSizes(832, 384, 192, 384, 48, 128, 128),
)


class SmallMapConv2d(nn.Conv2d):
    """The same convolution, in the way that is fastest to train on the small maps of this network.

    Taps that only ever meet the padding are left out (at 1×1 all but the middle one), and what is then a 1×1
    convolution is done as a matrix product: on a CPU its gradients take a quarter of the time (832 → 384 channels,
    1×1, batch 256). So is a 3×3 convolution of 2×2 maps, where each output sees each input, in 0.6 of the time.
    Export replaces it by a plain convolution.
    """

    def useful_weight(self, side: int) -> Tensor:
        """Of the taps that meet anything in maps of `side`×`side`."""
        kernel = self.kernel_size[0]
        margin = max(0, (kernel - (2 * side - 1)) // 2)
        return self.weight[:, :, margin : kernel - margin, margin : kernel - margin]

    def forward(self, x: Tensor) -> Tensor:
        weight = self.useful_weight(x.shape[-1])
        if x.shape[-1] == 2 and weight.shape[-1] == 3:
            return self.fully_connected(x, weight)
        if weight.shape[-1] == 1:
            return F.linear(x.permute(0, 2, 3, 1), weight.flatten(1), self.bias).permute(0, 3, 1, 2)
        return F.conv2d(x, weight, self.bias, stride=self.stride, padding=weight.shape[-1] // 2)

    def fully_connected(self, x: Tensor, weight: Tensor) -> Tensor:
        """x: [N, C, 2, 2], weight: [O, C, 3, 3] → [N, O, 2, 2]."""
        count, inputs = x.shape[:2]
        seen = [weight[:, :, 1 - i : 3 - i, 1 - j : 3 - j] for i in range(2) for j in range(2)]
        rows = torch.cat([taps.permute(0, 2, 3, 1).reshape(-1, 4 * inputs) for taps in seen])
        bias = None if self.bias is None else self.bias.repeat(4)
        outputs = F.linear(x.permute(0, 2, 3, 1).reshape(count, 4 * inputs), rows, bias)
        return outputs.view(count, 2, 2, -1).permute(0, 3, 1, 2)

    def plain(self, side: int) -> nn.Conv2d:
        """An equal convolution for maps of `side`×`side`."""
        weight = self.useful_weight(side)
        kernel = weight.shape[-1]
        has_bias = self.bias is not None
        plain = nn.Conv2d(self.in_channels, self.out_channels, kernel, self.stride[0], kernel // 2, bias=has_bias)
        plain.weight = nn.Parameter(weight.detach().clone())
        plain.bias = self.bias
        return plain.eval()


class ConvBNReLU(nn.Sequential):
    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__(
            SmallMapConv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )


class Inception(nn.Module):
    """N x sizes.inputs x H x W → N x sizes.outputs x H x W: four branches, joined along the channels."""

    def __init__(self, sizes: InceptionSizes) -> None:
        super().__init__()
        inputs = sizes.inputs
        self.branch1 = ConvBNReLU(inputs, sizes.c1, 1)
        self.branch3 = nn.Sequential(ConvBNReLU(inputs, sizes.c3_reduce, 1), ConvBNReLU(sizes.c3_reduce, sizes.c3, 3))
        self.branch5 = nn.Sequential(ConvBNReLU(inputs, sizes.c5_reduce, 1), ConvBNReLU(sizes.c5_reduce, sizes.c5, 5))
        self.branch_pool = nn.Sequential(
            nn.MaxPool2d(3, stride=1, padding=1), ConvBNReLU(inputs, sizes.pool_projection, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.branch1(x), self.branch3(x), self.branch5(x), self.branch_pool(x)], dim=1)


def halve() -> nn.MaxPool2d:
    return nn.MaxPool2d(3, stride=2, padding=1)


class GoogLeNet(nn.Sequential):
    """float32 [N, 1, 28, 28] → logits [N, classes].

    The paper's first max-pool would leave 7×7 of 28×28 before anything has looked at the digit. It stands between
    the blocks 3a and 3b here, so that the stem and 3a see twice the resolution; no parameter changes by that.
    """

    def __init__(self, classes: int = 10) -> None:
        super().__init__(
            ConvBNReLU(1, 64, 7, stride=2),  # N x 64 x 14 x 14
            ConvBNReLU(64, 64, 1),  # N x 64 x 14 x 14
            ConvBNReLU(64, 192, 3),  # N x 192 x 14 x 14
            halve(),  # N x 192 x 7 x 7
            Inception(INCEPTION_3A),  # N x 256 x 7 x 7
            halve(),  # N x 256 x 4 x 4
            Inception(INCEPTION_3B),  # N x 480 x 4 x 4
            halve(),  # N x 480 x 2 x 2
            *map(Inception, INCEPTION_4),  # N x 832 x 2 x 2
            halve(),  # N x 832 x 1 x 1
            *map(Inception, INCEPTION_5),  # N x 1024 x 1 x 1
            nn.AdaptiveAvgPool2d(1),  # N x 1024 x 1 x 1
            nn.Flatten(),  # N x 1024
            nn.Dropout(0.4),
            nn.Linear(1024, classes),  # N x classes
        )
