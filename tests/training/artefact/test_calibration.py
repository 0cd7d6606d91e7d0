"""Temperature and threshold are the ones that the data was made with."""

import pytest
import torch
from torch import Generator

from training.artefact.calibration import FALSE_ACCEPT_RATE, calibrate, confidences, fit_temperature
from training.data.dataset import NOT_A_DIGIT


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_that_made_the_labels_is_found(temperature: float) -> None:
    generator = Generator().manual_seed(0)
    logits = torch.randn(20_000, 10, generator=generator) * 3
    labels = torch.multinomial((logits / temperature).softmax(dim=1), 1, generator=generator).flatten()
    assert fit_temperature(logits, labels) == pytest.approx(temperature, rel=0.05)


def test_without_strangers_the_threshold_accepts_the_share_it_says() -> None:
    logits = torch.randn(20_000, 10, generator=Generator().manual_seed(0))
    calibration = calibrate(logits, torch.randint(10, (20_000,), generator=Generator().manual_seed(1)))
    accepted = (confidences(logits, calibration.temperature) >= calibration.reject_threshold).float().mean()
    assert accepted == pytest.approx(0.995, abs=0.002)
    assert calibration.accepted_share == pytest.approx(0.995, abs=0.003)
    assert calibration.false_accept_rate is None


def test_with_strangers_the_threshold_keeps_all_but_a_stated_share_of_them_out() -> None:
    generator = Generator().manual_seed(0)
    labels = torch.randint(-5, 10, (12_000,), generator=generator).clamp(min=NOT_A_DIGIT)
    known = labels != NOT_A_DIGIT
    logits = torch.randn(12_000, 10, generator=generator) + 5 * torch.eye(10)[labels.clamp(min=0)] * known[:, None]
    calibration = calibrate(logits, labels)
    # Measured on the half that nothing was fitted on.
    assert calibration.false_accept_rate == pytest.approx(FALSE_ACCEPT_RATE, abs=0.02)
    assert calibration.false_accept_rate != pytest.approx(FALSE_ACCEPT_RATE, abs=1e-4)
    assert calibration.accepted_share > 0.6
    assert calibration.temperature == fit_temperature(logits[::2][known[::2]], labels[::2][known[::2]])
