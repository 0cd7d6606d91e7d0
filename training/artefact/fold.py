"""AlexNet's resize, first convolution and max-pool as one small layer over the 28×28 image, for the exported graph.

A resized image is a linear map of the small one, and so is a convolution of that: together they are a convolution of
the small image, with kernels of their own for the outputs that lie between two of its pixels. Those are not laid out
beside each other before they are pooled: the maximum is taken over them as they are.
"""

import copy
import math
from itertools import product
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.networks.contract import InputContract

# Along an axis, an output may depend on so many small pixels before and after its own.
BEFORE, AFTER = 1, 2
KERNEL = BEFORE + 1 + AFTER

# Along an axis, each small pixel has so many outputs: the resize's factor over the convolution's stride.
PHASES = 2


class ResizedConvPool2d(nn.Module):
    """float32 [N, 1, S, S] → [N, C, S - 1, S - 1]: bilinear resize by `factor`, `convolution`, ReLU, max-pool 3/2.

    At the border the resize repeats the last pixel, and the convolution pads the resized image with zeros. Outputs
    that meet those zeros get the surplus taken away again, by kernels that see the repeated pixels alone.
    """

    # float32 [4, S + 3, S + 3]: everything, the columns outside the image, the rows outside, the corners.
    masks: Tensor

    def __init__(self, convolution: nn.Conv2d, factor: int, side: int) -> None:
        super().__init__()
        channels, bias = convolution.out_channels, cast("Tensor", convolution.bias)
        along = torch.stack(taps(convolution, factor, side))
        weight = torch.einsum("mkl,apki,bqlj->pqmabij", convolution.weight.detach()[:, 0], along, along)
        self.phases = nn.ModuleList(nn.Conv2d(4, channels, KERNEL) for _ in range(PHASES**2))
        for phase, kernel in zip(self.phases, weight.flatten(0, 1).flatten(2, 3), strict=True):
            phase.weight = nn.Parameter(kernel.contiguous())
            phase.bias = nn.Parameter(bias.detach().clone())
        outside = torch.ones(BEFORE + side + AFTER)
        outside[BEFORE:-AFTER] = 0
        axis = torch.stack([torch.ones_like(outside), outside])
        self.register_buffer("masks", torch.einsum("ai,bj->abij", axis, axis).flatten(0, 1))

    def forward(self, x: Tensor) -> Tensor:
        # Slices, not F.pad: the exporter makes scatters of a repeating pad, which take longer than the network.
        x = torch.cat([x[:, :, :1], x, x[:, :, -1:], x[:, :, -1:]], dim=2)
        x = torch.cat([x[..., :1], x, x[..., -1:], x[..., -1:]], dim=3) * self.masks
        # A window of the pool is three outputs wide: both phases of a pixel, and the first one of the next.
        maxima = []
        for phase, (row, column) in zip(self.phases, product(range(PHASES), repeat=2), strict=True):
            pooled = F.max_pool2d(phase(x), (PHASES - row, PHASES - column), stride=1)
            maxima.append(pooled[:, :, : x.shape[2] - KERNEL, : x.shape[3] - KERNEL])
        return torch.maximum(torch.maximum(*maxima[:2]), torch.maximum(*maxima[2:])).relu()


def taps(convolution: nn.Conv2d, factor: int, side: int) -> tuple[Tensor, Tensor]:
    """float32 [phases, taps, KERNEL] each: how much a tap sees of the small pixels, and the surplus at the border.

    Along one axis, for the outputs phase, phase + 2, …, relative to the small pixel whose place they have.
    """
    stride, padding, size = convolution.stride[0], int(convolution.padding[0]), convolution.kernel_size[0]
    inside = torch.zeros(PHASES, size, KERNEL)
    surplus = torch.zeros_like(inside)
    for phase, tap in product(range(PHASES), range(size)):
        resized = stride * phase + tap - padding
        # In small pixels; centres are at half pixels of both images.
        place = (resized + 0.5) / factor - 0.5
        first = math.floor(place)
        inside[phase, tap, BEFORE + first] += 1 - (place - first)
        inside[phase, tap, BEFORE + first + 1] += place - first
        if resized < 0:
            surplus[phase, tap, BEFORE - 1] -= 1
        if factor * (side - 1) + resized >= factor * side:
            surplus[phase, tap, BEFORE + 1] -= 1
    return inside, surplus


def unfolded_kernel(kernels: Tensor, convolution: nn.Conv2d, factor: int, side: int) -> Tensor:
    """Of those of a `ResizedConvPool2d` the weight of `convolution`: the smallest one that they could be made of.

    kernels: float32 [phases², C, 4, KERNEL, KERNEL] → float32 [C, 1, K, K].
    """
    # Linear along each axis, and K taps are more than a bilinear resize leaves apart.
    along = torch.stack(taps(convolution, factor, side)).double()
    inverse = torch.linalg.pinv(along.permute(1, 0, 3, 2).flatten(0, 2)).unflatten(1, (PHASES, 2, KERNEL))
    apart = kernels.double().unflatten(2, (2, 2)).unflatten(0, (PHASES, PHASES))
    return torch.einsum("kpai,lqbj,pqmabij->mkl", inverse, inverse, apart).float().unsqueeze(1)


def can_fold_resize(contract: InputContract, network: nn.Sequential) -> bool:
    if contract.network_size <= contract.size:
        return False
    first, pool, *_ = network.children()
    if not (isinstance(first, nn.Conv2d) and isinstance(pool, nn.MaxPool2d)):
        return False
    outputs = (contract.network_size + 2 * int(first.padding[0]) - first.kernel_size[0]) // first.stride[0] + 1
    return (
        contract.network_size / contract.size == PHASES * first.stride[0]
        and (pool.kernel_size, pool.stride) == (PHASES + 1, PHASES)
        and outputs == PHASES * contract.size - 1
    )


def fold_resize(contract: InputContract, network: nn.Sequential) -> nn.Sequential:
    """An equal network for the image as it is before its resize."""
    first = ResizedConvPool2d(cast("nn.Conv2d", network[0]), contract.network_size // contract.size, contract.size)
    return nn.Sequential(first, *copy.deepcopy(list(network.children())[3:]))
