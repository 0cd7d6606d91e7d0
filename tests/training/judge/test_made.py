"""Pictures of each kind, that `evaluate --uploads` finds and the service reads most of."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.data import labelled
from training.judge import made


def test_pictures_of_each_kind_are_written_with_their_labels(tmp_path: Path) -> None:
    made.main([str(tmp_path / "made"), "--data", "sample", "--count", "12"])
    found = labelled.find(tmp_path / "made")
    kinds = {picture.source for picture in found}
    assert kinds == {"crop", "squared-paper", "ruled-paper", "faint-pencil", "blur", "strip", "anything"}
    assert len(found) == 12 * len(kinds)
    assert all(0 <= picture.label <= 9 for picture in found)
    for picture in found:
        with Image.open(picture.path) as image:
            pixels = np.asarray(image)
        if picture.source == "crop":
            assert pixels.shape == (16, 16)
        if picture.source == "strip":
            assert max(pixels.shape) > 50


def test_the_pictures_are_the_same_each_time(tmp_path: Path) -> None:
    for name in ("one", "other"):
        made.main([str(tmp_path / name), "--data", "sample", "--count", "3"])
    one, other = (sorted((tmp_path / name).rglob("*.*")) for name in ("one", "other"))
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in other]


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="is there already"):
        made.main([str(tmp_path), "--data", "sample"])
