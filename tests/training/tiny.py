"""A network that trains in a second, with what makes training hard to repeat: batch norm and dropout.

`python -m tests.training.tiny` is `python -m training.train` with `--network tiny` known to it. TINY_FLOAT32 has it
compute in float32, whatever the processor.
"""

import os

import torch
from torch import nn

from training import train
from training.networks import NETWORKS, Network
from training.networks.googlenet import CONTRACT, ConvBNReLU
from training.run import hardware


class Tiny(nn.Sequential):
    """float32 [N, 1, 28, 28] → logits [N, classes]."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__(
            ConvBNReLU(1, 8, 5, stride=2),  # N x 8 x 14 x 14
            ConvBNReLU(8, 16, 3, stride=2),  # N x 16 x 7 x 7
            nn.Flatten(),  # N x 784
            nn.Dropout(0.1),
            nn.Linear(784, classes),  # N x classes
        )


TINY = Network(Tiny, CONTRACT)

# To be trained on the built-in sample: of the augmentation, the affine map alone, as the rest takes longer than Tiny.
SAMPLE = ["--recipe", "sample", "--network", "tiny"]
SAMPLE += [option for name in ("elastic", "stroke", "blur", "grain", "remnants") for option in (f"--{name}", "0")]


def no_bf16(device: torch.device) -> bool:
    return False


if __name__ == "__main__":
    NETWORKS["tiny"] = TINY
    if "TINY_FLOAT32" in os.environ:
        hardware.has_bf16 = no_bf16
    train.main()
