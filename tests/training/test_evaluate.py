"""Accuracies carry their interval, and the worst mistakes come first."""

import math

import pytest
import torch
from torch import nn

from training.evaluate import Accuracy, main, predict, worst_mistakes


def test_the_interval_is_wilsons() -> None:
    share, count, z = 0.9956, 10_000, 1.959964  # z: 95 % of a normal distribution lie within ± z
    centre = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * math.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    low, high = Accuracy(9956, 10_000).interval
    assert (low, high) == (pytest.approx(centre - half, abs=1e-6), pytest.approx(centre + half, abs=1e-6))
    assert str(Accuracy(1, 2)).startswith("50.00% (1 of 2; 95 % interval")


class AsksForTF32(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.full((len(images), 1), float(torch.backends.cudnn.allow_tf32))


@pytest.mark.parametrize("before", [True, False])
def test_predictions_are_in_full_precision_and_leave_the_setting(before: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", before)
    assert predict(AsksForTF32(), torch.zeros((2, 1))).tolist() == [[0.0], [0.0]]
    assert torch.backends.cudnn.allow_tf32 == before


def test_the_help_names_the_options_of_both_forms(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    printed = capsys.readouterr().out
    assert all(option in printed for option in ("--split", "--url", "--model", "--pictures"))
    with pytest.raises(SystemExit):
        main(["--uploads", "pictures", "--help"])
    assert "--pictures PATH" in capsys.readouterr().out


def test_the_surest_mistake_comes_first() -> None:
    logits = torch.tensor([[5.0, 0.0], [1.0, 0.0], [9.0, 0.0], [0.0, 1.0]])
    labels = torch.tensor([1, 1, 1, 1])
    assert worst_mistakes(logits, labels).tolist() == [2, 0, 1]
