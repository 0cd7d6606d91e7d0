"""Predictions are in full precision, whatever else the process has asked for."""

import pytest
import torch
from torch import nn

from training.run.predict import predict


class AsksForTF32(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.full((len(images), 1), float(torch.backends.cudnn.allow_tf32))


@pytest.mark.parametrize("before", [True, False])
def test_predictions_are_in_full_precision_and_leave_the_setting(before: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", before)
    assert predict(AsksForTF32(), torch.zeros((2, 1))).tolist() == [[0.0], [0.0]]
    assert torch.backends.cudnn.allow_tf32 == before
