"""The optimizers and schedules that a recipe names."""

from typing import Literal

import torch
from torch import nn
from torch.optim.lr_scheduler import ConstantLR, LRScheduler, OneCycleLR

Name = Literal["sgd", "momentum", "nag", "adagrad", "adadelta", "rmsprop", "adam", "adamw"]
Schedule = Literal["one-cycle", "constant"]

MOMENTUM = 0.9

# The one-cycle schedule sets their momentum, or first beta, too: from 0.95 to 0.85 at the peak, and back.
CYCLED = ("momentum", "nag", "adam", "adamw")


def build(
    name: Name, model: nn.Module, learning_rate: float, weight_decay: float, decay_biases: bool
) -> torch.optim.Optimizer:
    """Without `decay_biases` weight decay spares biases and batch norm: all parameters of one dimension."""
    decayed = [parameter for parameter in model.parameters() if parameter.ndim > 1 or decay_biases]
    spared = [parameter for parameter in model.parameters() if parameter.ndim <= 1 and not decay_biases]
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": spared, "weight_decay": 0.0}]
    match name:
        case "sgd":
            return torch.optim.SGD(groups, lr=learning_rate, fused=True)
        case "momentum":
            return torch.optim.SGD(groups, lr=learning_rate, momentum=MOMENTUM, fused=True)
        case "nag":
            return torch.optim.SGD(groups, lr=learning_rate, momentum=MOMENTUM, nesterov=True, fused=True)
        case "adagrad":
            return torch.optim.Adagrad(groups, lr=learning_rate)
        case "adadelta":
            return torch.optim.Adadelta(groups, lr=learning_rate)
        case "rmsprop":
            return torch.optim.RMSprop(groups, lr=learning_rate, alpha=0.9)
        case "adam":
            return torch.optim.Adam(groups, lr=learning_rate, fused=True)
        case "adamw":
            return torch.optim.AdamW(groups, lr=learning_rate, fused=True)


def schedule(name: Schedule, optimizer: torch.optim.Optimizer, of: Name, peak: float, steps: int) -> LRScheduler:
    """`peak`: the learning rate, which a constant schedule keeps."""
    if name == "constant":
        return ConstantLR(optimizer, factor=1.0, total_iters=0)
    return OneCycleLR(optimizer, max_lr=peak, total_steps=steps, pct_start=0.2, cycle_momentum=of in CYCLED)
