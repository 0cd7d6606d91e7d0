"""A network behind its own preprocessing: what is trained, evaluated and, folded, exported."""

from torch import Tensor, nn

from training.networks import NETWORKS
from training.networks.contract import InputContract, Preprocess


class Classifier(nn.Module):
    """uint8 [N, *contract.shape] → logits [N, classes]. `contract`: the network's own if none is given."""

    def __init__(self, network: str, classes: int, contract: InputContract | None = None) -> None:
        super().__init__()
        self.preprocess = Preprocess(contract or NETWORKS[network].contract)
        self.network = NETWORKS[network].build(classes)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(self.preprocess(images))
        return logits
