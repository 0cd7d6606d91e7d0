"""What calibration and training see is what the service's normaliser makes of pictures as people upload them."""

import numpy as np
import pytest
import torch

from service.model.artefact import load
from service.model.engine import Engine
from tests.harness import ROOT, Digits
from training.data import upload_like
from training.data.dataset import NOT_A_DIGIT, Split
from training.data.scene import Scene
from training.data.scenes import Sources
from training.data.upload_like import ALIKE, Uploads


@pytest.fixture(scope="module")
def uploads(digits: Digits) -> Uploads:
    pieces = Split(torch.from_numpy(digits.images), torch.from_numpy(digits.labels))
    return upload_like.make(600, 1, Sources(pieces))


def test_most_pictures_have_a_candidate_and_many_have_two(uploads: Uploads) -> None:
    of_digits = torch.nonzero(uploads.labels != NOT_A_DIGIT).flatten()
    counts = torch.bincount(uploads.owners, minlength=len(uploads.labels))[of_digits]
    assert (counts > 0).float().mean() > 0.9
    assert (counts == 2).float().mean() > 0.3
    assert counts.max() == 2


def test_candidates_belong_to_their_pictures_in_order(uploads: Uploads) -> None:
    assert len(uploads.candidates) == len(uploads.owners) == len(uploads.likeness)
    assert (uploads.owners.diff() >= 0).all()
    assert uploads.owners.min() >= 0
    assert uploads.owners.max() < len(uploads.labels) == 600


def test_the_shipped_network_reads_what_is_alike(uploads: Uploads) -> None:
    learned = uploads.to_learn()
    digits = learned.labels != NOT_A_DIGIT
    engine = Engine(load(ROOT / "exported/googlenet"), "cpu", threads=1, max_batch=1024)
    read = engine.run(learned.images.numpy()).argmax(axis=1)
    assert np.mean(read[digits.numpy()] == learned.labels[digits].numpy()) > 0.93


def test_a_candidate_of_something_else_is_learned_as_no_digit() -> None:
    likeness = torch.tensor([0.9, 0.6, 0.1, 0.0])
    uploads = Uploads(torch.zeros(4, 28, 28), torch.tensor([0, 0, 0, 1]), torch.tensor([7, NOT_A_DIGIT]), likeness)
    assert uploads.to_learn().labels.tolist() == [7, NOT_A_DIGIT, NOT_A_DIGIT], "the second may be either: left out"


def test_a_digit_is_like_itself_and_not_like_another(digits: Digits) -> None:
    seven = digits.pick(7)
    scene = Scene(255 - seven, seven)
    assert upload_like.alike(seven, scene) > 0.97
    assert upload_like.alike(digits.pick(0), scene) < ALIKE
    assert upload_like.alike(seven, Scene(seven, np.zeros_like(seven))) == 0


def test_pictures_are_the_same_for_the_same_seed_however_many_processes_make_them(
    digits: Digits, uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    pieces = Split(torch.from_numpy(digits.images), torch.from_numpy(digits.labels))
    again = upload_like.make(600, 1, Sources(pieces))
    assert torch.equal(again.candidates, uploads.candidates)
    assert torch.equal(again.labels, uploads.labels)
