"""The networks by name, each with the input contract that stands beside it in its own file."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from training.networks import alexnet_cifar, alexnet_d2l, alexnet_lite, alexnet_paper, googlenet, googlenet_plain
from training.networks.contract import InputContract


@dataclass(frozen=True)
class Network:
    """`build(classes)` gives the untrained network for `contract`."""

    build: Callable[..., nn.Module]
    contract: InputContract


NETWORKS = {
    "googlenet": Network(googlenet.GoogLeNet, googlenet.CONTRACT),
    "googlenet-plain": Network(googlenet_plain.GoogLeNetPlain, googlenet_plain.CONTRACT),
    "alexnet-lite": Network(alexnet_lite.AlexNetLite, alexnet_lite.CONTRACT),
    "alexnet-d2l": Network(alexnet_d2l.AlexNetD2L, alexnet_d2l.CONTRACT),
    "alexnet-paper": Network(alexnet_paper.AlexNetPaper, alexnet_paper.CONTRACT),
    "alexnet-cifar": Network(alexnet_cifar.AlexNetCifar, alexnet_cifar.CONTRACT),
}
