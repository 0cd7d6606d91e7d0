"""Labelled pictures are learned from as the service would read them."""

import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from service.picture.normalise import normalise
from tests.harness import ROOT, Digits, encode
from training.data import labelled
from training.data.dataset import NOT_A_DIGIT
from training.networks.googlenet import CONTRACT


def test_all_candidates_of_a_picture_have_its_label(tmp_path: Path, digits: Digits) -> None:
    light = np.linspace(0, 40, 90)[:, None]
    photo = np.full((90, 90), 160.0) + light
    photo[15:71, 15:71] -= np.asarray(Image.fromarray(digits.pick(5)).resize((56, 56))) / 2
    picture = Image.fromarray(photo.astype(np.uint8))
    picture.save(tmp_path / "five.png")
    Image.fromarray(255 - photo.astype(np.uint8)).save(tmp_path / "none.png")
    Image.new("L", (40, 40), 200).save(tmp_path / "blank.png")
    (tmp_path / "labels.csv").write_text("filename,label\nfive.png,5\nnone.png,-1\nblank.png,3\n")
    read = labelled.read(labelled.find(tmp_path), CONTRACT)
    assert read.labels.tolist() == [NOT_A_DIGIT, 3, 5], "in the order of their labels"
    assert read.owners.tolist() == [0, 0, 2, 2]
    made = read.to_learn()
    expected = normalise(picture).digits
    assert expected is not None
    assert len(expected) == 2
    assert made.labels.tolist() == [NOT_A_DIGIT, NOT_A_DIGIT, 5, 5], "what the service refuses is left out"
    assert np.array_equal(made.images[2:].numpy(), expected)


def test_a_photo_of_a_phone_is_read_by_a_process_that_has_told_pillow_of_none(tmp_path: Path, digits: Digits) -> None:
    """Corrections are kept in the format that they were sent in."""
    (tmp_path / "4").mkdir()
    photo = Image.fromarray(255 - digits.pick(4)).resize((224, 224)).convert("RGB")
    (tmp_path / "4" / "photo.heif").write_bytes(encode(photo, "HEIF"))
    script = f"""
from pathlib import Path
from training.data import labelled
from training.judge.uploads import thumbnail
from training.networks.googlenet import CONTRACT
(found,) = labelled.find(Path({str(tmp_path)!r}))
print(len(labelled.read([found], CONTRACT).candidates), *thumbnail(found.path).shape)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "1 56 56\n"
