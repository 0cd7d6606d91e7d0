"""Pictures say which split their figures are of, and are there whole or not at all."""

from pathlib import Path
from typing import Any

import pytest
import torch
from matplotlib.figure import Figure

from training.run import plots
from training.run.recipe import RECIPES
from training.run.run_folder import EpochRow


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures, as they were when they were written."""
    figures: list[Figure] = []
    save = Figure.savefig

    def noted(figure: Figure, *where: Any, **how: Any) -> None:
        save(figure, *where, **how)
        figures.append(figure)

    monkeypatch.setattr(Figure, "savefig", noted)
    return figures


def test_curves_name_the_split_that_they_are_of(tmp_path: Path, drawn: list[Figure]) -> None:
    rows = [EpochRow(epoch, 1 / epoch, 1 / epoch, 0.9, 0.1, 1.0, 100.0) for epoch in (1, 2)]
    for recipe in ("s0", "googlenet"):
        plots.save_curves(rows, RECIPES[recipe].judged_on, tmp_path / "curves.png")
    legends = [figure.axes[0].get_legend() for figure in drawn]
    labels = [[text.get_text() for text in legend.get_texts()] for legend in legends if legend]
    assert labels == [["training", "test"], ["training", "validation"]]
    assert [figure.axes[1].get_ylabel() for figure in drawn] == ["test error, %", "validation error, %"]
    assert [path.name for path in tmp_path.iterdir()] == ["curves.png"]


def test_a_confusion_matrix_has_a_title(tmp_path: Path, drawn: list[Figure]) -> None:
    labels = torch.tensor([0, 1, 1])
    plots.save_confusion(labels, labels, ("a", "b"), "test split", tmp_path / "confusion.png")
    assert drawn[0].axes[0].get_title() == "test split"


def full(path: Path) -> None:
    """Whatever is written to `path` from now on finds no space left."""
    path.with_name(f"{path.stem}.partial{path.suffix}").symlink_to("/dev/full")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_leaves_the_picture_before(tmp_path: Path) -> None:
    labels = torch.tensor([0, 1, 1])
    plots.save_confusion(labels, labels, ("a", "b"), "before", tmp_path / "confusion.png")
    before = (tmp_path / "confusion.png").read_bytes()
    full(tmp_path / "confusion.png")
    with pytest.raises(OSError, match="No space left"):
        plots.save_confusion(labels, labels, ("a", "b"), "after", tmp_path / "confusion.png")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"confusion.png": before}


def test_what_cannot_be_drawn_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        plots.save_confusion(torch.tensor([0, 1]), torch.tensor([0]), ("a", "b"), "", tmp_path / "confusion.png")
    with pytest.raises(TypeError, match="Invalid shape"):
        plots.save_contact_sheet(torch.zeros((1, 2, 28, 28)), ["two channels"], tmp_path / "sheet.png")
    assert list(tmp_path.iterdir()) == []
