"""Labelled pictures are found, asked about over HTTP, and judged by what came back."""

import csv
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import torch
from PIL import Image

from benchmarks import served_accuracy
from tests.harness import ROOT, Digits, serving
from training import evaluate
from training.data import labelled
from training.data.labelled import Labelled
from training.errors import TrainingError
from training.judge import uploads
from training.judge.uploads import Read


def write_labels(folder: Path, rows: list[tuple[str, str]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("filename", "label"), *rows])


def save(digits: Digits, label: int, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(digits.pick(label)).save(path)


def read(label: int, digit: int | None, confidence: float, accepted: bool = True, reason: str | None = None) -> Read:
    return Read(Labelled("source", Path("x.png"), label), digit, confidence, accepted, reason)


def test_both_layouts_are_found(digits: Digits, tmp_path: Path) -> None:
    save(digits, 3, tmp_path / "listed/a.png")
    write_labels(tmp_path / "listed", [("a.png", "3")])
    save(digits, 7, tmp_path / "sorted/7/b.png")
    save(digits, 1, tmp_path / "sorted/-1/c.png")
    found = labelled.find(tmp_path)
    assert [(item.source, item.path.name, item.label) for item in found] == [
        ("listed", "a.png", 3),
        ("sorted", "b.png", 7),
        ("sorted", "c.png", -1),
    ]
    assert labelled.find(tmp_path / "listed")[0].label == 3


@pytest.mark.parametrize("label", ["x", "10", "", "-2"])
def test_a_label_that_is_none_is_named(tmp_path: Path, label: str) -> None:
    write_labels(tmp_path / "source", [("a.png", label)])
    with pytest.raises(TrainingError, match=rf"label '{label}' is unknown; allowed: 0 to 9, and -1"):
        labelled.find(tmp_path)


def test_a_folder_without_pictures_says_what_is_looked_for(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"holds no labelled pictures: no labels\.csv"):
        labelled.find(tmp_path)
    with pytest.raises(TrainingError, match="is no folder"):
        labelled.find(tmp_path / "absent")


def test_the_report_counts_what_was_right_accepted_and_sure() -> None:
    digits = [read(4, 4, 1.0)] * 8 + [read(4, 9, 0.9), read(4, None, 0.0, accepted=False, reason="blank: nothing")]
    others = [read(-1, 5, 0.95), *[read(-1, 5, 0.2, accepted=False, reason="unsure: low")] * 3]
    report = uploads.report(digits + others)
    assert "accuracy 80.00% (8 of 10;" in report
    assert "accepted 90.00%; of these right 88.89%; ECE of those read 10.00%" in report
    assert "4 no digits, accepted 25.00%; refused as unsure 3, blank 1" in report
    assert "AUROC digit against no digit: 0.8750" in report
    assert "most often taken for another: 4 as 9 1" in report
    assert "threshold 1.000000: accepted 80.00%, of these wrong 0.00%, no digits accepted 0.00%" in report
    assert "threshold 0.900000: accepted 90.00%, of these wrong 11.11%, no digits accepted 25.00%" in report


def test_a_running_service_is_judged(
    server: str, digits: Digits, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for label in range(10):
        save(digits, label, tmp_path / f"pictures/{label}/{label}.png")
    save(digits, 6, tmp_path / "pictures/-1/six.png")
    evaluate.main(["--uploads", str(tmp_path), "--url", server, "--pictures", str(tmp_path / "out")])
    printed = capsys.readouterr().out
    assert "pictures: accuracy 100.00% (10 of 10" in printed
    assert "1 no digits, accepted 100.00%" in printed
    for name in ("confusion.png", "mistakes.png", "risk-coverage.png"):
        with Image.open(tmp_path / "out" / name) as picture:
            assert picture.width > 300


def test_a_file_that_is_no_picture_is_named(server: str, tmp_path: Path) -> None:
    write_labels(tmp_path, [("broken.png", "1"), ("broken.png", "1")])
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(TrainingError, match=r"broken\.png was answered with an error: .*no image"):
        uploads.ask(labelled.find(tmp_path), server, None)


@pytest.fixture
def server_of_letters(tmp_path: Path) -> Iterator[str]:
    """Beside the shipped AlexNet, under another name, one that calls what it reads a letter."""
    for name in ("digits", "letters"):
        shutil.copytree(ROOT / "exported/alexnet", tmp_path / "models" / name)
    path = tmp_path / "models/letters/metadata.json"
    metadata = json.loads(path.read_text())
    metadata |= {"labels": list("abcdefghij"), "input": {**metadata["input"], "made_by": "resize"}}
    path.write_text(json.dumps(metadata))
    models = str(tmp_path / "models")
    with serving(tmp_path / "log", models_dir=models, default_model="letters", workers="1") as url:
        yield url


def test_a_model_that_reads_no_digits_is_named_or_left_out(
    server_of_letters: str, digits: Digits, tmp_path: Path
) -> None:
    save(digits, 4, tmp_path / "pictures/4/four.png")
    pictures = labelled.find(tmp_path / "pictures")
    with pytest.raises(TrainingError, match=r"'letters' reads labels, not digits: it answered '[a-j]' to .*four\.png"):
        uploads.ask(pictures, server_of_letters, None)
    assert uploads.ask(pictures, server_of_letters, "digits")[0].digit == 4
    image = torch.from_numpy(digits.pick(4))
    with httpx.Client(base_url=server_of_letters, timeout=30) as client:
        assert [served_accuracy.reads_digits(client, name, image) for name in ("digits", "letters")] == [True, False]


def test_a_listed_file_that_is_missing_is_named(tmp_path: Path) -> None:
    write_labels(tmp_path, [("lost.png", "1")])
    with pytest.raises(TrainingError, match=r"lost\.png is listed in labels\.csv and is not there \(1 in all\)"):
        labelled.find(tmp_path)


def test_large_files_go_in_several_requests(tmp_path: Path) -> None:
    sizes = [3_000_000, 900_000, 200_000, 5_000_000, 10]
    for i, size in enumerate(sizes):
        (tmp_path / f"{i}.png").write_bytes(bytes(size))
    pictures = [Labelled("source", tmp_path / f"{i}.png", 0) for i in range(len(sizes))]
    sent = [[int(labelled.path.stem) for labelled in some] for some in uploads.requests_of(pictures)]
    assert sent == [[0, 1], [2], [3], [4]]


def test_pictures_are_saved_where_nothing_was_read(digits: Digits, tmp_path: Path) -> None:
    save(digits, 2, tmp_path / "a.png")
    refused = Read(Labelled("source", tmp_path / "a.png", 2), None, 0.0, False, "blank: nothing")
    uploads.save_pictures([refused], tmp_path / "out")
    assert (tmp_path / "out/mistakes.png").exists()
    assert uploads.report([refused]) == (
        "source: accuracy 0.00% (0 of 1; 95 % interval 0.00% to 79.35%); accepted 0.00%; refused as blank 1"
    )


def test_pictures_without_a_digit_have_a_report_too() -> None:
    report = uploads.report([read(-1, 5, 0.95), read(-1, None, 0.0, accepted=False, reason="blank: nothing")])
    assert report == "source: 2 no digits, accepted 50.00%; refused as blank 1"


def test_a_service_that_is_not_there_is_named(tmp_path: Path) -> None:
    write_labels(tmp_path, [("a.png", "1")])
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(TrainingError, match=r"http://127\.0\.0\.1:9 does not answer as a numeral service does"):
        uploads.ask(labelled.find(tmp_path), "http://127.0.0.1:9", None)
