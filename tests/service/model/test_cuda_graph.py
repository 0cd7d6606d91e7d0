"""Without a GPU: the arrays that stay in place, in the CPU's memory. tests/test_gpu.py has the graphs themselves."""

import numpy as np
import pytest

from service.model.artefact import load
from service.model.cuda_graph import Replay
from service.model.engine import open_session, run_once
from tests.harness import ROOT, Digits

ARTEFACT = load(ROOT / "exported/googlenet", "fp32")
SESSION = open_session(ARTEFACT, "cpu", threads=1)


def test_each_size_has_arrays_of_its_own_and_answers_as_a_plain_run(digits: Digits) -> None:
    replay = Replay(SESSION, (1, 4), ARTEFACT.shape, len(ARTEFACT.labels), device="cpu")
    batches = [digits.images[:4], digits.images[50:51], digits.images[100:104], digits.images[:4]]
    answers = [replay.run(images) for images in batches]
    # All of them are looked at after the last run, which has left its own answer in the arrays.
    for images, answer in zip(batches, answers, strict=True):
        np.testing.assert_allclose(answer, run_once(SESSION, images), atol=1e-6)


def test_a_size_that_was_not_bound_is_an_error(digits: Digits) -> None:
    replay = Replay(SESSION, (1, 4), ARTEFACT.shape, len(ARTEFACT.labels), device="cpu")
    with pytest.raises(KeyError):
        replay.run(digits.images[:2])
