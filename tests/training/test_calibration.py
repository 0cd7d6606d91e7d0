"""Temperature and threshold are the ones that the data was made with."""

import pytest
import torch
from torch import Generator

from training.calibration import fit_temperature, reject_threshold


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_that_made_the_labels_is_found(temperature: float) -> None:
    generator = Generator().manual_seed(0)
    logits = torch.randn(20_000, 10, generator=generator) * 3
    labels = torch.multinomial((logits / temperature).softmax(dim=1), 1, generator=generator).flatten()
    assert fit_temperature(logits, labels) == pytest.approx(temperature, rel=0.05)


def test_the_threshold_accepts_the_share_it_says() -> None:
    logits = torch.randn(4000, 10, generator=Generator().manual_seed(0))
    threshold = reject_threshold(logits, 1.0)
    accepted = (logits.softmax(dim=1).amax(dim=1) >= threshold).float().mean()
    assert accepted == pytest.approx(0.995, abs=0.001)
