"""What a network expects of its input, and the layer that turns canonical images into it."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class InputContract:
    """A canonical image is uint8 `size`×`size`, grey; the network sees `network_size`, scaled and normalised."""

    size: int
    network_size: int
    mean: float
    std: float


class Preprocess(nn.Module):
    """uint8 [N, S, S] → float32 [N, 1, R, R]. Part of the exported graph, so training and serving share it."""

    def __init__(self, contract: InputContract) -> None:
        super().__init__()
        self.contract = contract

    def forward(self, images: Tensor) -> Tensor:
        contract = self.contract
        pixels = images.unsqueeze(1).to(torch.float32)
        # Before the resize, whose weights add up to one: there are fewer pixels.
        scaled = (pixels - 255 * contract.mean) / (255 * contract.std)
        if contract.network_size != contract.size:
            # By factor and not by size: the exported Resize then needs no shape computed on the CPU.
            factor = contract.network_size / contract.size
            scaled = F.interpolate(scaled, scale_factor=factor, mode="bilinear", align_corners=False)
        return scaled
