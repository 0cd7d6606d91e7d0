"""Digits of other data sets are read both ways, and a set that cannot be had is named."""

from pathlib import Path

import pytest

from tests.harness import ROOT
from training.compare import cross_domain

MODEL = ROOT / "exported/googlenet"


def test_a_set_is_read_as_uploads_are_and_resized(capsys: pytest.CaptureFixture[str]) -> None:
    cross_domain.main([str(MODEL), "--sets", "uci-8x8"])
    uploads, resized = capsys.readouterr().out.splitlines()
    assert uploads.startswith("uci-8x8, as uploads: 9")
    assert resized.startswith("uci-8x8, resized: 9")
    assert "of 1797" in uploads
    assert "of 1797" in resized


def test_what_the_normaliser_refuses_counts_as_wrong() -> None:
    pictures = cross_domain.pictures_of("uci-8x8", Path())[:100]
    blank = [cross_domain.Picture(one.image.point(lambda _: 0), one.label) for one in pictures[:50]]
    accuracy = cross_domain.as_uploads([*blank, *pictures[50:]], MODEL)
    assert accuracy.count == 100
    assert 45 <= accuracy.right <= 50
    assert cross_domain.as_uploads(blank, MODEL).right == 0


def test_a_set_that_cannot_be_had_is_named_and_the_others_are_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").write_text("no folder")
    cross_domain.main([str(MODEL), "--sets", "usps", "uci-8x8", "--data-dir", str(tmp_path / "data")])
    missing, uploads, _ = capsys.readouterr().out.splitlines()
    assert missing.startswith(f"usps is not in {tmp_path / 'data'} and cannot be downloaded: ")
    assert uploads.startswith("uci-8x8")
    for wrong, message in (
        (["--sets", "ups"], "'ups' is unknown; known: uci-8x8, usps, svhn"),
        ([], "no exported model"),
    ):
        with pytest.raises(SystemExit, match=message):
            cross_domain.main([str(tmp_path), *wrong])
