"""Scores of confidence are compared on a folder of pictures, each picture by the candidate that is least sure."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.harness import ROOT, Digits
from training.artefact.calibration import Read
from training.compare import scores

MODELS = [str(ROOT / "exported/googlenet"), str(ROOT / "exported/alexnet")]


@pytest.fixture
def pictures(digits: Digits, tmp_path: Path) -> Path:
    """40 digits and 20 crosses."""
    folder = tmp_path / "source"
    folder.mkdir()
    cross = np.zeros((28, 28), np.uint8)
    np.fill_diagonal(cross, 255)
    cross |= cross[:, ::-1]
    with (folder / "labels.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("filename", "label"))
        for number in range(60):
            image, label = (digits.images[number], digits.labels[number]) if number < 40 else (cross, -1)
            Image.fromarray(image).save(folder / f"{number}.png")
            rows.writerow((f"{number}.png", label))
    return tmp_path


def test_each_score_has_its_line(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scores.main([*MODELS, str(pictures)])
    head, _, *lines = capsys.readouterr().out.splitlines()
    assert head.startswith("40 digits, 20 others; right ")
    aurocs = {line[:28].strip(): float(line[28:].split()[0]) for line in lines}
    assert len(aurocs) == 7
    assert aurocs["largest probability"] > 0.9


def test_a_picture_is_as_sure_as_its_least_candidate_and_one_without_is_last() -> None:
    read = Read(torch.tensor([[9.0, 0.0], [2.0, 1.0], [4.0, 1.0]]), torch.tensor([0, 0, 2]), torch.tensor([0, 0, 0]))
    own = np.array([[0.9, 0.1], [0.0, 0.0], [0.8, 0.2]])
    made = scores.scores(read, own, own)
    assert made["largest logit"].tolist() == [2.0, 1.0, 4.0]
    assert made["margin of logits"].tolist() == [1.0, 0.0, 3.0]
    assert made["largest probability"].tolist() == [0.9, 0.0, 0.8]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [([MODELS[0], "nowhere"], "nowhere is no exported model"), (MODELS, "holds no labelled pictures")],
)
def test_what_is_missing_is_named(
    wrong: list[str], message: str, pictures: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("empty") if "pictures" in message else pictures
    with pytest.raises(SystemExit, match=message):
        scores.main([*wrong, str(folder)])
