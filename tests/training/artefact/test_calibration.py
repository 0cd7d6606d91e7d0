"""Temperature and threshold are the ones that the data was made with."""

import pytest
import torch
from torch import Generator, Tensor

from service.picture.candidates import agreed
from training.artefact.calibration import (
    FALSE_ACCEPT_RATE,
    WRONG_SHARE,
    Read,
    against_mistakes,
    calibrate,
    fit_temperature,
    of_single_images,
)
from training.data.dataset import NOT_A_DIGIT
from training.errors import TrainingError


def confidences(read: Read, temperature: float) -> Tensor:
    return read.probabilities(temperature).amax(dim=1)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_that_made_the_labels_is_found(temperature: float) -> None:
    generator = Generator().manual_seed(0)
    logits = torch.randn(20_000, 10, generator=generator) * 3
    labels = torch.multinomial((logits / temperature).softmax(dim=1), 1, generator=generator).flatten()
    assert fit_temperature(of_single_images(logits, labels)) == pytest.approx(temperature, rel=0.05)


def test_without_strangers_the_threshold_accepts_the_share_it_says() -> None:
    logits = torch.randn(20_000, 10, generator=Generator().manual_seed(0))
    read = of_single_images(logits, torch.randint(10, (20_000,), generator=Generator().manual_seed(1)))
    calibration = calibrate(read)
    accepted = (confidences(read, calibration.temperature) >= calibration.reject_threshold).float().mean()
    assert accepted == pytest.approx(0.995, abs=0.002)
    assert calibration.accepted_share == pytest.approx(0.995, abs=0.003)
    assert calibration.false_accept_rate is None


def with_strangers(certainty: float) -> Read:
    """Two in five images belong to no class; the true class of the others stands out by `certainty`."""
    generator = Generator().manual_seed(0)
    labels = torch.randint(-5, 10, (12_000,), generator=generator).clamp(min=NOT_A_DIGIT)
    known = labels != NOT_A_DIGIT
    logits = torch.randn(12_000, 10, generator=generator)
    return of_single_images(logits + certainty * torch.eye(10)[labels.clamp(min=0)] * known[:, None], labels)


def test_with_strangers_the_threshold_keeps_all_but_a_stated_share_of_them_out() -> None:
    read = with_strangers(certainty=7)
    calibration = calibrate(read)
    # Measured on the half that nothing was fitted on.
    assert calibration.false_accept_rate == pytest.approx(FALSE_ACCEPT_RATE, abs=0.02)
    assert calibration.false_accept_rate != pytest.approx(FALSE_ACCEPT_RATE, abs=1e-6)
    assert calibration.accepted_share > 0.9
    assert calibration.temperature == fit_temperature(read.part(0))


def test_a_higher_threshold_accepts_less_and_less_that_is_wrong() -> None:
    calibration = calibrate(with_strangers(certainty=2))
    curve = calibration.risk_coverage
    assert [round(point.coverage, 2) for point in curve] == [0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 1.0]
    assert [point.threshold for point in curve] == sorted((point.threshold for point in curve), reverse=True)
    assert curve[0].risk < curve[-1].risk
    low, high = calibration.right_interval_95 or (1, 0)
    assert low < (calibration.right_share or 0) < high


def test_where_digits_are_hard_to_read_the_threshold_is_set_by_the_mistakes() -> None:
    calibration = calibrate(with_strangers(certainty=2))
    assert calibration.right_share == pytest.approx(1 - WRONG_SHARE, abs=0.003)
    assert calibration.false_accept_rate is not None
    assert calibration.false_accept_rate < FALSE_ACCEPT_RATE


def test_the_threshold_lies_where_one_in_two_hundred_is_wrong() -> None:
    sure = torch.linspace(1, 0, 1_000)
    wrong = torch.zeros(1_000, dtype=torch.bool)
    wrong[[100, 399, 500, 501, 502, 503]] = True
    # Two of 500 are few enough; with the next the share is passed, and 6 of 1,000 are too many still.
    assert against_mistakes(sure, wrong) == sure[499]
    assert against_mistakes(sure, torch.ones_like(wrong)) > 1
    # Three are equally sure, and one of them is wrong.
    assert against_mistakes(torch.tensor([1.0, 0.5, 0.5, 0.5]), torch.tensor([False, False, True, False])) == 1.0


def test_candidates_of_one_picture_are_averaged() -> None:
    logits = torch.tensor([[9.0, 0.0], [0.0, 9.0], [9.0, 0.0]])
    read = Read(logits, torch.tensor([0, 0, 2]), torch.tensor([0, 1, 0]))
    probabilities = read.probabilities(1.0)
    alone = agreed([(logits[2] / 1.0).softmax(dim=0).tolist()])
    assert probabilities[0].tolist() == pytest.approx([0.5, 0.5])
    served = agreed((logits[:2] / 1.0).softmax(dim=1).tolist())
    assert probabilities[0].tolist() == pytest.approx(served, abs=1e-5), "as the service does"
    assert probabilities[1].tolist() == [0, 0], "a picture without candidates has no probabilities"
    assert probabilities[2].tolist() == pytest.approx(alone, abs=1e-6), "an only candidate is not held back"


def test_what_is_refused_unread_does_not_lower_the_threshold() -> None:
    logits = torch.randn(2_000, 10, generator=Generator().manual_seed(0)) * 3
    labels = logits.argmax(dim=1)
    read = Read(logits[:1_900], torch.arange(1_900), labels)
    calibration = calibrate(read)
    assert calibration.reject_threshold > 0.1
    assert calibration.accepted_share == pytest.approx(0.95 * 0.995, abs=0.01)


@pytest.mark.parametrize("labels", [[NOT_A_DIGIT, NOT_A_DIGIT, 1, NOT_A_DIGIT], [NOT_A_DIGIT] * 4, [3]])
def test_too_few_digits_to_fit_on_are_refused(labels: list[int]) -> None:
    with pytest.raises(TrainingError, match=f"of {len(labels)} pictures too few hold a digit"):
        calibrate(of_single_images(torch.zeros(len(labels), 10), torch.tensor(labels)))
