"""The networks by name, each with the input contract that stands beside it in its own file."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from training.networks import alexnet_lite, googlenet, googlenet_plain
from training.networks.contract import InputContract


@dataclass(frozen=True)
class Network:
    """`build(classes)` gives the untrained network for `contract`."""

    build: Callable[[int], nn.Module]
    contract: InputContract


NETWORKS = {
    "googlenet": Network(googlenet.GoogLeNet, googlenet.CONTRACT),
    "googlenet-plain": Network(googlenet_plain.GoogLeNetPlain, googlenet_plain.CONTRACT),
    "alexnet-lite": Network(alexnet_lite.AlexNetLite, alexnet_lite.CONTRACT),
}
