"""What a network answers to many images, in full precision on any device."""

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn

# So many images go through the network at once.
BATCH = 500


@torch.inference_mode()
def predict(model: nn.Module, images: Tensor) -> Tensor:
    """uint8 [N, *shape] → logits float32 [N, classes], in full precision."""
    model.eval()
    with without_tf32():
        return torch.cat([model(batch) for batch in images.split(BATCH)])


@contextlib.contextmanager
def without_tf32() -> Iterator[None]:
    """Convolutions on a GPU are computed with ten bits of mantissa by default."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before
