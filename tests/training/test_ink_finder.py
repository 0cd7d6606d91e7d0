"""The network that finds ink learns to, and what is written is what was trained."""

from pathlib import Path

import numpy as np
import pytest
import torch

from service.picture import ink_finder as served
from tests.harness import Digits
from training import ink_finder
from training.data.dataset import Split
from training.data.scenes import Sources
from training.errors import TrainingError
from training.networks.ink_finder import InkFinder, standardised


@pytest.fixture(scope="module")
def scenes(digits: Digits) -> ink_finder.Scenes:
    pieces = Split(torch.from_numpy(digits.images), torch.from_numpy(digits.labels))
    return ink_finder.make_scenes(512, 3, Sources(pieces))


def test_scenes_are_what_the_service_shows_the_network(scenes: ink_finder.Scenes) -> None:
    assert scenes.pictures.shape == scenes.ink.shape == (512, served.SIDE, served.SIDE)
    assert (scenes.ink > 127).any(dim=2).any(dim=1).float().mean() > 0.8


def test_the_shipped_network_finds_the_ink(scenes: ink_finder.Scenes) -> None:
    found = ink_finder.through_onnx(served.FILE, scenes.pictures)
    assert ink_finder.overlap(found, scenes.ink) > 0.6
    assert ink_finder.overlap(-found, scenes.ink) < 0.2


def test_it_learns_and_is_written(scenes: ink_finder.Scenes, tmp_path: Path) -> None:
    target = tmp_path / "finder.onnx"
    arguments = ink_finder.Arguments(target=target, scenes=512, epochs=6)
    network = ink_finder.train(arguments, scenes, scenes)
    untrained = ink_finder.overlap(ink_finder.predict(InkFinder(), scenes.pictures), scenes.ink)
    trained = ink_finder.overlap(ink_finder.predict(network, scenes.pictures), scenes.ink)
    assert trained > untrained + 0.1
    ink_finder.export(network, scenes, scenes, target)
    assert ink_finder.overlap(ink_finder.through_onnx(target, scenes.pictures), scenes.ink) == pytest.approx(
        trained, abs=0.02
    )
    assert list(tmp_path.iterdir()) == [target]


def test_contrast_makes_no_difference() -> None:
    strong = torch.randint(0, 200, (2, served.SIDE, served.SIDE), dtype=torch.uint8)
    assert standardised(strong).mean().abs() < 1e-4
    faint = (strong // 4).to(torch.uint8)
    assert standardised(faint).std() == pytest.approx(float(standardised(strong).std()), rel=0.3)
    assert standardised(torch.full((1, served.SIDE, served.SIDE), 90, dtype=torch.uint8)).abs().max() == 0


def test_a_perfect_answer_costs_next_to_nothing() -> None:
    ink = torch.zeros(1, served.SIDE, served.SIDE)
    ink[:, 20:40, 30:34] = 1
    assert ink_finder.loss_of(ink * 40 - 20, ink) < 0.01
    assert ink_finder.loss_of(20 - ink * 40, ink) > 1


def test_a_folder_without_fonts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"needed: FAMILY/\*\.woff2"):
        ink_finder.make(ink_finder.Arguments(data="sample", fonts=str(tmp_path)))


def test_half_a_batch_is_left_out(scenes: ink_finder.Scenes) -> None:
    some = ink_finder.Scenes(scenes.pictures[:300], scenes.ink[:300])
    batches = list(ink_finder.batches(some, torch.Generator().manual_seed(0)))
    assert [len(pictures) for pictures, _ in batches] == [128, 128]
    assert np.isclose(max(float(ink.max()) for _, ink in batches), 1)
