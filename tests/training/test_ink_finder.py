"""The network that finds ink learns to, and what is written is what was trained."""

from pathlib import Path

import numpy as np
import pytest
import torch

from service.picture import ink_finder as served
from tests.harness import Digits
from training import ink_finder
from training.data.dataset import Split
from training.data.scene import Scene
from training.data.scenes import Sources
from training.errors import TrainingError
from training.networks.ink_finder import InkFinder, smoothing, standardised, standardised_around


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
    strong = torch.randint(0, 200, (2, served.SIDE, served.SIDE)).float()
    assert standardised(strong).mean().abs() < 1e-4
    assert standardised(strong // 4).std() == pytest.approx(float(standardised(strong).std()), rel=0.3)
    assert standardised(torch.full((1, served.SIDE, served.SIDE), 90.0)).abs().max() == 0


def test_a_faint_stroke_far_from_a_black_margin_is_clear_among_its_neighbours() -> None:
    levels = torch.full((1, served.SIDE, served.SIDE), 200.0)
    levels[:, :, :20] = 0
    levels[:, 20:40, 50] = 185
    in_the_whole, nearby = standardised(levels), standardised_around(levels, smoothing(4.0))
    paper, stroke = (0, 30, 40), (0, 30, 50)
    assert abs(float(in_the_whole[paper] - in_the_whole[stroke])) < 0.3
    assert abs(float(nearby[paper] - nearby[stroke])) > 1


def test_what_is_looked_at_again_holds_the_ink() -> None:
    ink = np.zeros((200, 150), np.uint8)
    ink[90:120, 60:80] = 255
    rng = np.random.default_rng(0)
    seen = [ink_finder.looked_at(Scene(255 - ink, ink), rng) for _ in range(200)]
    assert all(np.array_equal(one.picture, 255 - one.ink) for one in seen)
    closer = [one for one in seen if one.ink.size < ink.size and one.ink.any()]
    assert 0.2 < len(closer) / len(seen) < 0.6
    assert sum(np.count_nonzero(one.ink) == 600 for one in closer) > 0.5 * len(closer)
    assert any(one.ink.shape == (80, 80) for one in seen), "a part as `find` looks at it"


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
