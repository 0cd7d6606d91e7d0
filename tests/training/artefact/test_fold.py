"""The folded layer answers as resize, convolution, ReLU and max-pool do, at the border too."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from training.artefact.fold import ResizedConvPool2d, can_fold_resize
from training.artefact.graph import ServedGraph
from training.networks import NETWORKS
from training.networks.classifier import Classifier


@pytest.mark.parametrize("side", [5, 28])
def test_it_equals_the_layers_it_stands_for(side: int) -> None:
    torch.manual_seed(0)
    convolution = nn.Conv2d(1, 3, 11, stride=4, padding=2)
    images = torch.rand(4, 1, side, side)
    with torch.inference_mode():
        resized = F.interpolate(images, scale_factor=8.0, mode="bilinear", align_corners=False)
        expected = F.max_pool2d(convolution(resized).relu(), 3, stride=2)
        folded = ResizedConvPool2d(convolution, 8, side)(images)
    torch.testing.assert_close(folded, expected, rtol=1e-5, atol=1e-6)


def test_alexnet_is_served_without_a_resize() -> None:
    torch.manual_seed(0)
    classifier = Classifier("alexnet-lite", 10).eval()
    served = ServedGraph(classifier, temperature=1).eval()
    images = torch.randint(0, 256, (8, 28, 28), dtype=torch.uint8)
    assert isinstance(served.classifier.network[0], ResizedConvPool2d)
    with torch.inference_mode():
        torch.testing.assert_close(served(images)[1], classifier(images), rtol=1e-4, atol=1e-5)


def test_a_network_without_a_resize_is_left_alone() -> None:
    network = NETWORKS["googlenet"]
    assert not can_fold_resize(network.contract, network.build(10))
