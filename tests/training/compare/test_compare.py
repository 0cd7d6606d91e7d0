"""Comparisons keep the runs that are finished, and print the same table again."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image, ImageSequence
from tqdm import tqdm

from tests.harness import Digits
from training import train
from training.compare import devices
from training.compare.__main__ import main
from training.compare.optimizers import SETTINGS
from training.run import lifecycle
from training.run.recipe import RECIPES, Recipe
from training.run.run_folder import EpochRow, load_checkpoint, read_log, read_recipe
from training.run.state import Training


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The recipes with a small network on the built-in sample, and three of the optimizers."""
    for name in ("s2", "s4-fashion"):
        recipe = dataclasses.replace(RECIPES[name], network="tiny", data="sample", batch_size=100)
        monkeypatch.setitem(RECIPES, name, recipe)
    for name in set(SETTINGS) - {"NAG", "Adagrad", "RMSprop"}:
        monkeypatch.delitem(SETTINGS, name)


def compare(folder: Path) -> str:
    main(["optimizers", "--epochs", "2", "--limit", "300", "--out", str(folder)])
    return (folder / "table.md").read_text()


def test_a_comparison_that_was_stopped_goes_on_and_ends_with_the_same_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def accuracies(table: str) -> list[list[str]]:
        return [line.split(" | ")[:4] for line in table.splitlines()]

    whole = compare(tmp_path / "whole")
    train_epoch = train.train_epoch
    epochs: list[Recipe] = []

    def counted(training: Training, progress: "tqdm[Any]") -> tuple[float, float]:
        epochs.append(training.recipe)
        return train_epoch(training, progress)

    def stopped_in_the_second_run(training: Training, progress: "tqdm[Any]") -> tuple[float, float]:
        if len(epochs) == 3:
            raise SystemExit("killed")
        return counted(training, progress)

    monkeypatch.setattr(train, "train_epoch", stopped_in_the_second_run)
    with pytest.raises(SystemExit, match="killed"):
        compare(tmp_path / "stopped")
    first = (tmp_path / "stopped/nag-seed0/checkpoint.pt").stat()
    assert len(read_log(tmp_path / "stopped/adagrad-seed0")) == 1
    monkeypatch.setattr(train, "train_epoch", counted)
    epochs.clear()
    assert accuracies(compare(tmp_path / "stopped")) == accuracies(whole)
    assert [recipe.optimizer for recipe in epochs] == ["adagrad", "rmsprop", "rmsprop"]
    assert (tmp_path / "stopped/nag-seed0/checkpoint.pt").stat().st_mtime_ns == first.st_mtime_ns


def test_pictures_table_and_weights_of_each_run_are_left(tmp_path: Path) -> None:
    table = compare(tmp_path)
    assert [name for name in SETTINGS if f"| {name} | 2 |" in table] == list(SETTINGS)
    assert "| 0.9231 |" in table  # the article's NAG
    with Image.open(tmp_path / "optimizers.gif") as animation:
        assert len(list(ImageSequence.Iterator(animation))) == 2
    with Image.open(tmp_path / "optimizers.png") as picture:
        assert picture.width > 500
    lines = (tmp_path / "epochs.csv").read_text().splitlines()
    assert len(lines) == 1 + len(SETTINGS) * 2
    weights = load_checkpoint(tmp_path / "rmsprop-seed0", torch.device("cpu"))
    assert "averaged" in weights
    assert "optimizer" not in weights


def test_a_run_that_diverged_is_not_trained_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SETTINGS, "NAG", dataclasses.replace(SETTINGS["NAG"], learning_rate=1e30))
    table = compare(tmp_path)
    assert "| NAG | 0 | 0.0000 |" in table

    def trained_again(training: Training, progress: "tqdm[Any]") -> None:
        pytest.fail(f"{training.recipe.optimizer} is trained again")

    monkeypatch.setattr(train, "train_epoch", trained_again)
    assert compare(tmp_path) == table


def test_another_recipe_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    compare(tmp_path)
    with pytest.raises(SystemExit, match="holds a run of another recipe; remove it, or choose another place"):
        main(["optimizers", "--epochs", "1", "--limit", "300", "--out", str(tmp_path)])


def test_another_copy_of_the_data_can_be_learned(tmp_path: Path, digits: Digits) -> None:
    for label in range(10):
        folder = tmp_path / "copy" / str(label)
        folder.mkdir(parents=True)
        for which in range(12):
            Image.fromarray(digits.pick(label, which)).save(folder / f"{which}.png")
    copy = f"folder:{tmp_path / 'copy'}"
    main(["optimizers", "--epochs", "1", "--data", copy, "--out", str(tmp_path / "out")])
    assert read_recipe(tmp_path / "out/nag-seed0").data == copy
    assert load_checkpoint(tmp_path / "out/nag-seed0", torch.device("cpu"))["steps"] == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["optimizers", "--seeds", "0"], "seeds is 0; it must be above 0"),
        (["optimizers", "--epochs", "0"], "epochs is 0; it must be above 0"),
        (["devices", "--epochs", "0"], "epochs is 0; it must be above 0"),
    ],
)
def test_nothing_to_compare_is_said(tmp_path: Path, arguments: list[str], said: str) -> None:
    with pytest.raises(SystemExit, match=said):
        main([*arguments, "--out", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()


def test_ctrl_c_between_two_runs_is_said_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(recipe: Recipe, place: lifecycle.Place) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(lifecycle, "load_data", stopped)
    with pytest.raises(SystemExit, match="stopped; the runs that were begun are kept: give the same command again"):
        compare(tmp_path)


@pytest.mark.parametrize(("cpu_diverged", "ratios"), [(False, ["4.0", "1.0"]), (True, [""])])
def test_the_ratio_is_to_the_cpu(cpu_diverged: bool, ratios: list[str]) -> None:
    rows = {
        device: [EpochRow(1, 0.5, 0.5, 0.9, 0.1, 1.0, images_per_second)]
        for device, images_per_second in (("a GPU", 400.0), ("a CPU", 100.0))
        if not (cpu_diverged and device == "a CPU")
    }
    lines = devices.table(rows, "a CPU").splitlines()[2:]
    assert [line.split("|")[4].strip() for line in lines] == ratios


def test_devices_are_compared_or_the_cpu_measured_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["devices", "--recipe", "s2", "--epochs", "2", "--limit", "500", "--out", str(tmp_path)])
    if not torch.cuda.is_available():
        assert "no CUDA device here: the CPU is measured alone" in capsys.readouterr().out
    assert "| ratio |" in (tmp_path / "table.md").read_text()
    assert (tmp_path / "devices.png").stat().st_size > 5000
