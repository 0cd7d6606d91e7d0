"""What a network expects of its input, and the layer that turns canonical images into it."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class InputContract:
    """A canonical image is uint8 of `shape`; the network sees `network_size`, scaled and normalised by channel."""

    size: int
    network_size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def channels(self) -> int:
        return len(self.mean)

    @property
    def shape(self) -> tuple[int, ...]:
        """[size, size] in grey, [channels, size, size] in colour."""
        return (self.size, self.size) if self.channels == 1 else (self.channels, self.size, self.size)


class Preprocess(nn.Module):
    """uint8 [N, *shape] → float32 [N, C, R, R]. Part of the exported graph, so training and serving share it."""

    mean: Tensor
    std: Tensor

    def __init__(self, contract: InputContract) -> None:
        super().__init__()
        self.contract = contract
        for name, values in (("mean", contract.mean), ("std", contract.std)):
            self.register_buffer(name, 255 * torch.tensor(values).view(-1, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        contract = self.contract
        pixels = (images if images.ndim == 4 else images.unsqueeze(1)).to(torch.float32)
        # Before the resize, whose weights add up to one: there are fewer pixels.
        scaled = (pixels - self.mean) / self.std
        if contract.network_size != contract.size:
            # By factor where it is whole: the exported Resize then needs no shape computed on the CPU. Another factor
            # would be rounded in the file, and the last pixel lost.
            factor, rest = divmod(contract.network_size, contract.size)
            size, scale = (contract.network_size, None) if rest else (None, float(factor))
            scaled = F.interpolate(scaled, size, scale, mode="bilinear", align_corners=False)
        return scaled
