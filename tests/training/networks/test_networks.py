"""The networks are the published ones: golden parameter counts and shapes."""

import pytest
import torch
from torch import nn

from training.networks import NETWORKS
from training.networks.classifier import Classifier
from training.networks.contract import InputContract, Preprocess
from training.networks.googlenet import SmallMapConv2d


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("network", "count"),
    [
        ("googlenet", 5_977_530),
        ("googlenet-plain", 5_977_530),
        ("alexnet-lite", 1_578_442),
        ("alexnet-d2l", 46_764_746),
        ("alexnet-paper", 58_299_082),
        ("alexnet-cifar", 56_826_698),
    ],
)
def test_parameter_counts_are_the_published_ones(network: str, count: int) -> None:
    """Batch normalisation, which the paper has not, ends up in the biases of its convolutions."""
    classifier = Classifier(network, 10)
    scales = sum(module.num_features for module in classifier.modules() if isinstance(module, nn.BatchNorm2d))
    assert parameters(classifier) - scales == count


@pytest.mark.parametrize("network", sorted(NETWORKS))
def test_any_batch_of_canonical_images_gives_a_row_each(network: str) -> None:
    classifier = Classifier(network, 7).eval()
    contract = NETWORKS[network].contract
    for count in (1, 3):
        images = torch.zeros(count, *contract.shape, dtype=torch.uint8)
        assert classifier.preprocess(images).shape[2:] == (contract.network_size, contract.network_size)
        assert classifier(images).shape == (count, 7)


@pytest.mark.parametrize(
    ("network", "shapes"),
    [
        (
            "googlenet",
            {0: (64, 14, 14), 3: (192, 7, 7), 4: (256, 7, 7), 6: (480, 4, 4), 12: (832, 2, 2), 15: (1024, 1, 1)},
        ),
        ("alexnet-lite", {0: (64, 55, 55), 1: (64, 27, 27), 3: (192, 27, 27), 4: (192, 13, 13), 6: (192, 5, 5)}),
    ],
)
def test_shapes_by_stage_are_those_of_the_comments(network: str, shapes: dict[int, tuple[int, ...]]) -> None:
    classifier = Classifier(network, 10).eval()
    x = classifier.preprocess(torch.zeros(2, 28, 28, dtype=torch.uint8))
    seen = {}
    for i, stage in enumerate(classifier.network.children()):
        x = stage(x)
        seen[i] = tuple(x.shape[1:])
    assert {i: seen[i] for i in shapes} == shapes


def test_googlenet_has_a_relu_after_every_convolution() -> None:
    network = Classifier("googlenet", 10).network
    assert sum(isinstance(m, nn.Conv2d) for m in network.modules()) == 57
    assert sum(isinstance(m, nn.ReLU) for m in network.modules()) == 57


def test_preprocessing_scales_and_normalises() -> None:
    preprocess = Preprocess(InputContract(size=28, network_size=28, mean=(0.5,), std=(0.25,)))
    images = torch.full((1, 28, 28), 255, dtype=torch.uint8)
    assert preprocess(images).unique().tolist() == [2.0]


@pytest.mark.parametrize("side", [1, 2, 3, 4])
def test_convolutions_of_small_maps_are_convolutions(side: int) -> None:
    torch.manual_seed(0)
    small = SmallMapConv2d(6, 5, 3, padding=1)
    x = torch.rand(4, 6, side, side)
    torch.testing.assert_close(small(x), nn.Conv2d.forward(small, x), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(small.plain(side)(x), small(x), rtol=1e-4, atol=1e-5)
