"""The graph from canonical images to probabilities, as it is served: batch normalisation and resize are folded."""

import copy
import dataclasses
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from training.artefact.fold import can_fold_resize, fold_resize
from training.networks.classifier import Classifier
from training.networks.contract import Preprocess
from training.networks.googlenet import ConvBNReLU, SmallMapConv2d


class ServedGraph(nn.Module):
    """uint8 [N, *shape] → probabilities and logits, float32 [N, classes] each.

    The probabilities are of the logits divided by `temperature` (Guo et al. 2017); the logits are as trained.
    """

    def __init__(self, classifier: Classifier, temperature: float) -> None:
        super().__init__()
        self.classifier = without_resize(fold_batch_norm(classifier))
        self.temperature = temperature

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.classifier(images)
        return (logits / self.temperature).softmax(dim=1), logits


def fold_batch_norm(classifier: Classifier) -> Classifier:
    """An equal network in evaluation mode of plain convolutions, which carry their batch normalisation.

    They are cut to the taps that the sizes of the maps leave any use for, which makes GoogLeNet a quarter smaller.
    """
    folded = copy.deepcopy(classifier).eval()
    sides = map_sides(folded)
    for parent in list(folded.modules()):
        for name, layer in parent.named_children():
            if isinstance(layer, ConvBNReLU):
                convolution, norm = cast("SmallMapConv2d", layer[0]), cast("nn.BatchNorm2d", layer[1])
                layer[0] = fuse_conv_bn_eval(convolution.plain(sides[convolution]), norm)
                layer[1] = nn.Identity()
            elif isinstance(layer, SmallMapConv2d):
                setattr(parent, name, layer.plain(sides[layer]))
    return folded


def without_resize(classifier: Classifier) -> Classifier:
    """An equal network, which sees the canonical image at its own size where that can be had."""
    contract, network = classifier.preprocess.contract, classifier.network
    if can_fold_resize(contract, network):
        # The mean is taken away before or after a resize: its weights add up to one.
        classifier.network = fold_resize(contract, network)
        classifier.preprocess = Preprocess(dataclasses.replace(contract, network_size=contract.size))
    return classifier


def map_sides(classifier: Classifier) -> dict[nn.Module, int]:
    """The side in pixels of the maps that each convolution gets."""
    sides: dict[nn.Module, int] = {}

    def note(module: nn.Module, inputs: tuple[Tensor]) -> None:
        sides[module] = inputs[0].shape[-1]

    hooks = [
        module.register_forward_pre_hook(note) for module in classifier.modules() if isinstance(module, SmallMapConv2d)
    ]
    with torch.inference_mode():
        classifier(torch.zeros((1, *classifier.preprocess.contract.shape), dtype=torch.uint8))
    for hook in hooks:
        hook.remove()
    return sides
