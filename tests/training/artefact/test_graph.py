"""What is served answers as the trained network does, with less to do."""

import pytest
import torch
from torch import nn

from training.artefact.graph import ServedGraph, fold_batch_norm
from training.networks.classifier import Classifier


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("network", ["googlenet", "googlenet-plain"])
def test_what_is_served_carries_no_taps_without_use(network: str) -> None:
    """On maps of 1×1 and 2×2 most of a kernel only ever meets the padding."""
    served = fold_batch_norm(Classifier(network, 10))
    kernels = [module.kernel_size[0] for module in served.modules() if isinstance(module, nn.Conv2d)]
    assert kernels.count(5) == 2
    assert kernels.count(3) == 1 + 2 + 5 + 5
    assert parameters(served) == 4_572_602


@pytest.mark.parametrize("network", ["googlenet", "googlenet-plain"])
def test_folding_changes_no_answer(network: str) -> None:
    torch.manual_seed(0)
    classifier = Classifier(network, 10)
    images = torch.randint(0, 256, (16, 28, 28), dtype=torch.uint8)
    classifier.train()(images)  # gives batch norm statistics that are not the initial ones
    with torch.inference_mode():
        torch.testing.assert_close(fold_batch_norm(classifier)(images), classifier.eval()(images), rtol=1e-4, atol=1e-5)


def test_the_temperature_sharpens_probabilities_and_leaves_logits() -> None:
    classifier = Classifier("googlenet", 10).eval()
    images = torch.zeros(1, 28, 28, dtype=torch.uint8)
    with torch.inference_mode():
        probabilities, logits = ServedGraph(classifier, 0.5).eval()(images)
        torch.testing.assert_close(logits, classifier(images), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(probabilities, (logits / 0.5).softmax(dim=1))
