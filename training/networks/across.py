"""Layers for processes that share a batch: what they compute is what one process would compute of the whole batch."""

from typing import Any, cast

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional as F


class Total(torch.autograd.Function):
    """The sum over all processes; its gradient is the sum of theirs."""

    @staticmethod
    def forward(_context: Any, values: Tensor) -> Tensor:
        total = values.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(_context: Any, gradient: Tensor) -> Tensor:
        return Total.forward(None, gradient)


class BatchNormAcross(nn.BatchNorm2d):
    """Normalises by the statistics of the whole batch, as SyncBatchNorm, which runs on GPUs alone."""

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] → the same."""
        if not self.training:
            return super().forward(x)
        values = x.float()
        count = x.new_full((1,), x.numel() // x.shape[1], dtype=torch.float32)
        summed = Total.apply(torch.cat([values.sum((0, 2, 3)), count]))
        mean, count = summed[:-1] / summed[-1], summed[-1].detach()
        centred = values - mean[:, None, None]
        variance = Total.apply(centred.square().sum((0, 2, 3))) / count
        self._remember(mean.detach(), variance.detach(), count)
        scale = self.weight * (variance + self.eps).rsqrt()
        normalised: Tensor = centred * scale[:, None, None] + self.bias[:, None, None]
        return normalised.to(x.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, count: Tensor) -> None:
        """The running variance is of what the batch is a sample of."""
        momentum = cast("float", self.momentum)
        cast("Tensor", self.running_mean).lerp_(mean, momentum)
        cast("Tensor", self.running_var).lerp_(variance * count / (count - 1), momentum)
        cast("Tensor", self.num_batches_tracked).add_(1)


class DropoutAcross(nn.Dropout):
    """Draws for the whole batch of `batch` rows, and drops what is drawn for the `share` of this process."""

    def __init__(self, p: float, batch: int, share: slice) -> None:
        super().__init__(p)
        self.batch = batch
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        """[N, ...] → the same."""
        if not self.training:
            return x
        return x * F.dropout(x.new_ones((self.batch, *x.shape[1:])), self.p)[self.share]


def across(model: nn.Module, batch: int, share: slice) -> nn.Module:
    """`model` with such layers, which have its parameters and buffers, by the same names."""
    for name, layer in model.named_children():
        if isinstance(layer, nn.BatchNorm2d):
            setattr(model, name, batch_norm(layer))
        elif isinstance(layer, nn.Dropout):
            setattr(model, name, DropoutAcross(layer.p, batch, share))
        else:
            across(layer, batch, share)
    return model


def batch_norm(layer: nn.BatchNorm2d) -> nn.Module:
    if layer.weight.device.type == "cuda":
        return cast("nn.SyncBatchNorm", nn.SyncBatchNorm.convert_sync_batchnorm(layer))
    shared = BatchNormAcross(layer.num_features, layer.eps, layer.momentum)
    # The very tensors, since an optimizer may have them.
    shared._parameters, shared._buffers = layer._parameters, layer._buffers
    return shared
