"""From nothing to a served answer: train on the built-in sample, export, serve, and read held-out digits over HTTP."""

from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.harness import Digits, png, serving
from tests.training.tiny import SAMPLE, TINY
from training import evaluate, export, train
from training.data.dataset import load_sample
from training.networks import NETWORKS


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """GoogLeNet learns the sample in minutes; what happens to a network on its way is the same with this one."""
    monkeypatch.setitem(NETWORKS, "tiny", TINY)


def test_from_the_sample_to_an_answer(tmp_path: Path) -> None:
    run, models = tmp_path / "run", tmp_path / "models"
    train.main([*SAMPLE, "--epochs", "8", "--run", str(run)])
    accuracy = evaluate.evaluate(evaluate.Arguments(run))
    assert accuracy.share >= 0.95
    assert (run / "validation-mistakes.png").stat().st_size > 1000
    export.main([str(run), str(models / "mine")])

    held_out = load_sample().test
    with serving(tmp_path / "log", models_dir=str(models), default_model="mine") as url, httpx.Client() as http:
        right = []
        for first in range(0, len(held_out), 100):
            images = held_out.images[first : first + 100].numpy()
            files = [("image", ("x.png", png(image), "image/png")) for image in images]
            answers = http.post(f"{url}/classify", files=files, timeout=60).json()
            labels = held_out.labels[first : first + 100].tolist()
            right += [answer["digit"] == label for answer, label in zip(answers, labels, strict=True)]
    assert len(right) == 500
    assert np.mean(right) >= 0.95


def test_a_model_of_other_things_answers_with_their_names(tmp_path: Path, digits: Digits) -> None:
    """Light on dark as they were trained on: a digit's normaliser would turn or crop what is no digit."""
    names = {"nought": 0, "one": 1, "two": 2}
    for name, label in names.items():
        (tmp_path / "things" / name).mkdir(parents=True)
        for i in range(100):
            Image.fromarray(digits.pick(label, i)).save(tmp_path / "things" / name / f"{i}.png")
    run, models = tmp_path / "run", tmp_path / "models"
    things = ["--data", f"folder:{tmp_path / 'things'}", "--written-digits", "0", "--not-digits", "0"]
    train.main([*SAMPLE, *things, "--epochs", "15", "--batch-size", "32", "--run", str(run)])
    export.main([str(run), str(models / "things")])

    with serving(tmp_path / "log", models_dir=str(models), default_model="things") as url, httpx.Client() as http:
        for name, label in names.items():
            files = [("image", ("x.png", png(digits.pick(label, i)), "image/png")) for i in range(150, 170)]
            answers = http.post(f"{url}/classify", files=files, timeout=60).json()
            assert sum(answer["label"] == name for answer in answers) >= 17
            assert all("digit" not in answer for answer in answers)
            assert set(answers[0]["probabilities"]) == set(names)
        assert http.get(f"{url}/models").json()["things"]["labels"] == list(names)
