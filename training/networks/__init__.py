"""The networks by name, each with the input contract that stands beside it in its own file."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from training.networks import alexnet_cifar, alexnet_d2l, alexnet_lite, alexnet_paper, googlenet, googlenet_plain
from training.networks.contract import InputContract


@dataclass(frozen=True)
class Network:
    """`build(classes)` gives the untrained network for `contract`.

    On a CPU a server takes `cpu_batch` images at once at most: more take memory, hold up what waits behind them, and
    bring no images/s.
    """

    build: Callable[..., nn.Sequential]
    contract: InputContract
    cpu_batch: int = 64


# The `cpu_batch` of networks that see 224×224: AlexNet takes 0.72 ms an image in batches of 8, 0.84 in batches of 64.
LARGE_MAPS = 8

NETWORKS = {
    "googlenet": Network(googlenet.GoogLeNet, googlenet.CONTRACT),
    "googlenet-plain": Network(googlenet_plain.GoogLeNetPlain, googlenet_plain.CONTRACT),
    "alexnet-lite": Network(alexnet_lite.AlexNetLite, alexnet_lite.CONTRACT, LARGE_MAPS),
    "alexnet-d2l": Network(alexnet_d2l.AlexNetD2L, alexnet_d2l.CONTRACT, LARGE_MAPS),
    "alexnet-paper": Network(alexnet_paper.AlexNetPaper, alexnet_paper.CONTRACT, LARGE_MAPS),
    "alexnet-cifar": Network(alexnet_cifar.AlexNetCifar, alexnet_cifar.CONTRACT),
}
