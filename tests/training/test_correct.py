"""Corrections joined to a data set are learned, but for a share that judges; a folder too small alone is told so."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from tests.harness import Digits
from tests.training.tiny import SAMPLE
from training import evaluate, train
from training.data import labelled
from training.data.dataset import load_dataset, load_sample
from training.errors import TrainingError
from training.judge.by_source import of_joined
from training.networks.googlenet import CONTRACT
from training.run.recipe import RECIPES
from training.run.state import MOST_COPIES, copies_for_a_share, training_images
from training.run.trained import load_classifier

QUICK = [*SAMPLE, "--written-digits", "0", "--not-digits", "0", "--epochs", "4", "--device", "cpu"]


@pytest.fixture
def corrections(tmp_path: Path, digits: Digits) -> Path:
    """Sevens that someone says are ones: nobody could know it but by them. And a sign."""
    for name in ("1", "-1"):
        (tmp_path / "corrections" / name).mkdir(parents=True)
    for which in range(60):
        Image.fromarray(255 - digits.pick(7, 300 + which)).save(tmp_path / "corrections" / "1" / f"{which}.png")
    Image.fromarray(255 - digits.pick(8).T).save(tmp_path / "corrections" / "-1" / "sign.png")
    return tmp_path / "corrections"


def test_what_judges_is_never_learned_whatever_its_name(corrections: Path) -> None:
    learned, held_out = labelled.parted(labelled.find(corrections))
    assert len(learned) + len(held_out) == 61
    assert 4 <= len(held_out) <= 24
    twin = held_out[0].path.with_name("another name.png")
    twin.write_bytes(held_out[0].path.read_bytes())
    assert twin in [picture.path for picture in labelled.parted(labelled.find(corrections))[1]]


def test_of_what_is_joined_the_learned_part_is_in_an_epoch_often_enough(corrections: Path) -> None:
    recipe = replace(RECIPES["correct"], data=f"sample,folder:{corrections}", written_digits=0, not_digits=0, scenes=0)
    dataset = load_dataset(recipe.data, Path(), CONTRACT)
    assert len(dataset.train) == 4000
    assert len(dataset.validation) == 500
    learned = labelled.read(labelled.parted(labelled.find(corrections))[0], CONTRACT).to_learn()
    images = training_images(recipe, dataset)
    copies = copies_for_a_share(len(learned), 4000)
    assert len(images) == 4000 + copies * len(learned)
    assert torch.equal(images.images[4000 : 4000 + len(learned)], learned.images)
    assert -1 in images.labels


@pytest.mark.parametrize(
    ("pictures", "copies"), [(1, MOST_COPIES), (100, 30), (500, 6), (3000, 1), (90_000, 1), (0, 30)]
)
def test_pictures_are_a_quarter_of_an_epoch_or_as_much_as_they_can(pictures: int, copies: int) -> None:
    assert copies_for_a_share(pictures, 9000) == copies


def test_corrections_are_learned_and_judged_apart(
    corrections: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    train.main([*QUICK, "--data", f"sample,folder:{corrections}", "--picture-copies", "0", "--run", str(run)])
    data = load_sample()
    (said,) = of_joined(
        load_classifier(run, data.labels, torch.device("cpu")), RECIPES["correct"], [corrections], torch.device("cpu")
    )
    right, count = map(int, said.split("(")[1].split(";")[0].split(" of "))
    assert right / count > 0.6, "though it has learned from 400 other sevens that they are sevens"
    assert said in capsys.readouterr().out
    assert evaluate.evaluate(evaluate.Arguments(run)).share > 0.8
    assert said in capsys.readouterr().out


def test_before_a_run_that_starts_from_another_both_are_told(
    corrections: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train.main([*QUICK, "--run", str(tmp_path / "first")])
    further = ["--data", f"sample,folder:{corrections}", "--start-from", str(tmp_path / "first")]
    train.main([*QUICK, *further, "--run", str(tmp_path / "further")])
    said = [line for line in capsys.readouterr().out.splitlines() if "held out of training" in line]
    assert [line.startswith("before training, ") for line in said] == [True, False]
    assert said[0] != f"before training, {said[1]}"


def test_nothing_held_out_is_said(tmp_path: Path, digits: Digits) -> None:
    (tmp_path / "7").mkdir()
    picture = tmp_path / "7" / "one.png"
    for which in range(200):
        Image.fromarray(255 - digits.pick(7, which)).save(picture)
        if not labelled.is_held_out(picture):
            break
    assert not labelled.is_held_out(picture)
    said = of_joined(torch.nn.Identity(), RECIPES["correct"], [tmp_path], torch.device("cpu"))
    assert next(said) == f"{tmp_path}, held out of training: no digits; one picture in 5 is, whichever it be"


@pytest.mark.parametrize("data", ["fashion-mnist", "mnist,sample"])
def test_what_cannot_be_joined_is_refused(data: str, tmp_path: Path) -> None:
    with pytest.raises(
        TrainingError,
        match=r"is unknown; known: .* and after one of digits ,folder:PATH|is of other things|cannot be read",
    ):
        load_dataset(f"{data},folder:{tmp_path}", tmp_path, CONTRACT)


def test_a_small_folder_alone_gets_advice(tmp_path: Path, digits: Digits, capsys: pytest.CaptureFixture[str]) -> None:
    for label in range(10):
        (tmp_path / "few" / str(label)).mkdir(parents=True)
        for which in range(20):
            Image.fromarray(255 - digits.pick(label, which)).save(tmp_path / "few" / str(label) / f"{which}.png")
    few = ["--data", f"folder:{tmp_path / 'few'}", "--batch-size", "32", "--run", str(tmp_path / "run")]
    train.main([*QUICK, *few])
    last = capsys.readouterr().out.splitlines()[-1]
    advice = (
        f"start from a shipped one: python -m training.train --recipe correct --data mnist,folder:{tmp_path / 'few'}"
    )
    assert last == f"154 images are few to train a network from scratch; {advice}"
