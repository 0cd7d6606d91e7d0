"""A folder is replaced whole, or is as it was."""

import json
import os
from pathlib import Path

import pytest

from tests.harness import ROOT
from training.artefact import into_place


def filled(folder: Path, text: str) -> Path:
    folder.mkdir()
    (folder / "model").write_text(text)
    return folder


def test_an_artefact_whose_successor_is_lost_comes_back(tmp_path: Path) -> None:
    target = filled(tmp_path / "target", "old")
    with pytest.raises(FileNotFoundError):
        into_place.replace_folder(tmp_path / "absent", target)
    assert (target / "model").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["target"]


def test_an_artefact_that_cannot_come_back_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another export takes the place while there is none: neither the new folder nor the old one can be put there."""
    new, target = filled(tmp_path / "new", "new"), filled(tmp_path / "target", "old")
    replace = os.replace

    def overtaken(source: Path, destination: Path) -> None:
        replace(source, destination)
        if source == target:
            filled(target, "another's")

    monkeypatch.setattr(os, "replace", overtaken)
    with pytest.raises(OSError, match=r"\.target-old-.*target"):
        into_place.replace_folder(new, target)
    assert [path.read_text() for path in tmp_path.glob(".target-old-*/target/model")] == ["old"]


def test_an_artefact_says_what_it_accepts(tmp_path: Path) -> None:
    figures = {"reject_threshold": 0.98765, "accepted_share": 0.9, "right_share": 0.995, "false_accept_rate": 0.02}
    (tmp_path / "metadata.json").write_text(json.dumps({"calibration": figures}))
    said = "accepts 90.00% of its calibration images at the threshold 0.988, of these 99.50% right, and 2.00% of what"
    assert into_place.acceptance(tmp_path).startswith(said)
    assert "accepts" in into_place.acceptance(ROOT / "exported" / "googlenet")
    assert into_place.acceptance(tmp_path / "absent") == "it does not say what it accepts"
