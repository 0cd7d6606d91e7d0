"""The hash of the code changes with any file that a picture's way goes through, and with nothing else."""

import shutil
from pathlib import Path

import pytest

from service.picture import version


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(version.HERE, tmp_path / "picture", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(version, "HERE", tmp_path / "picture")
    return tmp_path / "picture"


def test_each_file_counts(copy: Path) -> None:
    unchanged = version.code.__wrapped__()
    assert unchanged == version.code()
    seen = {unchanged}
    for name in ("refuse.py", "structure/png.py", "ink_finder.onnx"):
        with (copy / name).open("ab") as file:
            file.write(b" ")
        seen.add(version.code.__wrapped__())
    (copy / "refuse.py").rename(copy / "refused.py")
    seen.add(version.code.__wrapped__())
    assert len(seen) == 5
    (copy / "notes.txt").write_text("no code")
    assert version.code.__wrapped__() in seen


def test_libraries_are_named_with_their_versions() -> None:
    names = [one.split(" ")[0] for one in version.libraries().split(", ")]
    assert names == ["numpy", "pillow", "pillow-heif", "kornia-rs", "onnxruntime"]
    assert all(one.split(" ")[1][0].isdecimal() for one in version.libraries().split(", "))
