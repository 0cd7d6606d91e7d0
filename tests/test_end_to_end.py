"""From nothing to a served answer: train on the built-in sample, export, serve, and read held-out digits over HTTP."""

from pathlib import Path

import httpx
import numpy as np

from tests.harness import png, serving
from training import data, evaluate, export, train


def test_from_the_sample_to_an_answer(tmp_path: Path) -> None:
    run, models = tmp_path / "run", tmp_path / "models"
    train.main(["--recipe", "sample", "--run", str(run)])
    accuracy = evaluate.evaluate(evaluate.Arguments(run))
    assert accuracy.share >= 0.95
    assert (run / "validation-mistakes.png").stat().st_size > 1000
    export.main([str(run), str(models / "mine")])

    held_out = data.load_sample().test
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
