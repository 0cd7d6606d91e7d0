"""The library reads what the service reads, and says what is wrong with what it cannot."""

import dataclasses
import os
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

import numeral
from numeral import FaultKind, Reader, StartError, Unreadable
from numeral.reader import Source
from tests.harness import ROOT, Digits, png

PHOTO = ROOT / "digit.png"


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(provider="cpu")


def pictures(digits: Digits) -> list[bytes]:
    """Plain, in doubt, refused, of several frames, and what is none."""
    frames = BytesIO()
    Image.fromarray(digits.pick(4)).save(frames, "GIF", save_all=True, append_images=[Image.new("L", (28, 28))])
    blank, text = png(Image.new("L", (200, 200), 220)), b"text"
    odd = sorted((ROOT / "tests/digits/misclassified").glob("*.png"))
    return [
        *(png(image) for image in digits.images[::500]),
        *(path.read_bytes() for path in odd),
        PHOTO.read_bytes(),
        blank,
        frames.getvalue(),
        text,
        PHOTO.read_bytes()[:500],
        b"",
    ]


def assert_same(row: dict[str, Any], answer: dict[str, Any]) -> None:
    """Batches of other sizes may differ in the last bit of a probability, which is rounded to six places."""
    if row["error"]:
        assert row["error"] == answer["detail"]
        return
    for name in ("digit", "accepted", "note", "model"):
        assert row[name] == answer[name], name
    assert (row["reason"] or "")[:20] == (answer["reason"] or "")[:20]
    assert row["confidence"] == pytest.approx(answer["confidence"], abs=2e-6)
    assert row["probabilities"] == (answer["probabilities"] and pytest.approx(answer["probabilities"], abs=2e-6))


@pytest.mark.parametrize("model", ["googlenet", "alexnet"])
def test_it_answers_as_the_service_does(client: httpx.Client, digits: Digits, model: str) -> None:
    files = pictures(digits)
    sent = [("image", (f"{index}", content)) for index, content in enumerate(files)]
    answers = client.post("/classify", params={"model": model, "explain": "1"}, files=sent).json()
    readings = list(Reader(model).read_many(files, explain=True))
    assert len(readings) == len(answers)
    for reading, answer in zip(readings, answers, strict=True):
        assert_same(reading.as_row(), answer)
        if not reading.error:
            assert reading.candidates is not None
            assert [one["read"] for one in reading.candidates] == [one["read"] for one in answer["candidates"]]


def test_the_short_way() -> None:
    reading = numeral.read(PHOTO)
    assert (reading.digit, reading.accepted, reading.reason, reading.error) == (2, True, None, None)
    assert reading.file == str(PHOTO)
    with pytest.raises(dataclasses.FrozenInstanceError):
        reading.digit = 3  # type: ignore[misc]  # that it cannot be set is what is tried


def test_a_path_bytes_pixels_and_images_are_one_picture(reader: Reader, digits: Digits, tmp_path: Path) -> None:
    pixels = digits.pick(7)
    path = tmp_path / "seven.png"
    path.write_bytes(png(pixels))
    colour = np.stack([pixels] * 3, axis=-1)
    sources: list[Source] = [path, str(path), path.read_bytes(), pixels, Image.fromarray(pixels), colour]
    readings = list(reader.read_many(sources))
    assert {reading.digit for reading in readings} == {7}
    assert len({reading.confidence for reading in readings[:5]}) == 1
    assert [reading.file for reading in readings] == [str(path), str(path), None, None, None, None]


def test_a_source_of_another_type_is_named() -> None:
    with pytest.raises(TypeError, match="the picture is 5, of type int; allowed: a path"):
        numeral.read(5)  # type: ignore[arg-type]  # what a type checker would have said


@pytest.mark.parametrize(
    ("source", "kind", "said"),
    [
        (b"", FaultKind.EMPTY, "the picture: the file is empty"),
        (b"text", FaultKind.UNSUPPORTED, "no image of a supported format"),
        (PHOTO.read_bytes()[:500], FaultKind.DAMAGED, "the picture: "),
        (np.zeros((3, 3), np.complex64), FaultKind.UNSUPPORTED, r"an array of complex64 \[3, 3\] is no picture"),
        (Image.new("F", (9, 9)), FaultKind.UNSUPPORTED, "the image of mode F"),
        ("/dev/zero", FaultKind.UNSUPPORTED, "a device or a pipe"),
    ],
)
def test_one_that_cannot_be_read_says_why(reader: Reader, source: Any, kind: FaultKind, said: str) -> None:
    with pytest.raises(Unreadable, match=said) as raised:
        reader.read(source)
    assert raised.value.fault.kind == kind


def test_a_file_that_is_not_there_is_an_error_of_the_system(reader: Reader, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere\.png"):
        reader.read(tmp_path / "nowhere.png")


def test_among_others_one_that_cannot_be_read_is_a_row(reader: Reader, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "large.png").touch()
    os.truncate(tmp_path / "large.png", 64_000_001)
    sources = [tmp_path / "nowhere.png", PHOTO, tmp_path, tmp_path / "pipe.png", tmp_path / "large.png"]
    readings = list(reader.read_many(sources))
    errors = [(reading.error or "").removeprefix("the file cannot be read: ") for reading in readings]
    assert errors == [
        "No such file or directory",
        "",
        "Is a directory",
        "it is a device or a pipe, and no file",
        "the file has 64,000,001 bytes; the limit is 64,000,000",
    ]
    assert [reading.digit for reading in readings] == [None, 2, None, None, None]


def test_more_candidates_than_a_batch_has(digits: Digits, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMERAL_MAX_BATCH", "3")
    one = list(Reader(provider="cpu").read_many(pictures(digits)))
    monkeypatch.delenv("NUMERAL_MAX_BATCH")
    other = list(Reader(provider="cpu").read_many(pictures(digits)))
    assert [reading.digit for reading in one] == [reading.digit for reading in other]


def test_a_model_of_other_things_has_labels(tmp_path: Path) -> None:
    """The digits' own network, told that it knows ten letters."""
    source = ROOT / "exported/googlenet"
    folder = tmp_path / "letters"
    folder.mkdir()
    text = (source / "metadata.json").read_text()
    for digit, letter in enumerate("abcdefghij"):
        text = text.replace(f'    "{digit}"', f'    "{letter}"')
    (folder / "metadata.json").write_text(text.replace("digit normaliser", "resize"))
    for name in ("model.onnx", "model.int8.onnx"):
        (folder / name).symlink_to(source / name)
    reading = Reader("letters", models_dir=tmp_path).read(PHOTO)
    assert reading.digit is None
    assert reading.label in list("abcdefghij")
    assert reading.as_row()["label"] == reading.label


def test_what_cannot_be_loaded_says_what_is_allowed(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"model 'vgg' is unknown; allowed, as .*: alexnet, googlenet"):
        Reader("vgg")
    with pytest.raises(StartError, match="'fp16': input should be 'auto', 'fp32' or 'int8'"):
        Reader(precision="fp16")  # type: ignore[arg-type]  # a user's may be no literal
    with pytest.raises(StartError, match="holds no model"):
        Reader(models_dir=tmp_path)


def test_a_wrong_name_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="no attribute 'reed'"):
        numeral.reed  # noqa: B018
