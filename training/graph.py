"""The graph from canonical images to probabilities: trained and evaluated as `Classifier`, served as `ServedGraph`."""

import copy

from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from training.networks import NETWORKS
from training.networks.contract import Preprocess
from training.networks.googlenet import ConvBNReLU


class Classifier(nn.Module):
    """uint8 [N, S, S] → logits [N, classes]."""

    def __init__(self, network: str, classes: int) -> None:
        super().__init__()
        self.preprocess = Preprocess(NETWORKS[network].contract)
        self.network = NETWORKS[network].build(classes)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(self.preprocess(images))
        return logits


class ServedGraph(nn.Module):
    """uint8 [N, S, S] → probabilities and logits, float32 [N, classes] each.

    The probabilities are of the logits divided by `temperature` (Guo et al. 2017); the logits are as trained.
    """

    def __init__(self, classifier: Classifier, temperature: float) -> None:
        super().__init__()
        self.classifier = fold_batch_norm(classifier)
        self.temperature = temperature

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.classifier(images)
        return (logits / self.temperature).softmax(dim=1), logits


def fold_batch_norm(classifier: Classifier) -> Classifier:
    """An equal network in evaluation mode whose convolutions carry their batch normalisation."""
    folded = copy.deepcopy(classifier).eval()
    for block in folded.modules():
        if isinstance(block, ConvBNReLU):
            convolution, norm, _ = block
            block[0] = fuse_conv_bn_eval(convolution, norm)  # type: ignore[type-var, arg-type]  # Sequential knows Module
            block[1] = nn.Identity()
    return folded
