"""A file is there whole or not at all."""

from pathlib import Path

import pytest
import torch

from training.run import run_folder
from training.run.whole import written_whole


def test_it_is_not_there_before_it_is_whole(tmp_path: Path) -> None:
    with written_whole(tmp_path / "x.txt") as partial:
        partial.write_text("half")
        assert not (tmp_path / "x.txt").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["x.txt"]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_what_fails_leaves_the_file_before(tmp_path: Path, error: type[BaseException]) -> None:
    (tmp_path / "x.txt").write_text("before")

    def fail() -> None:
        with written_whole(tmp_path / "x.txt") as partial:
            partial.write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"x.txt": "before"}


def test_a_checkpoint_that_cannot_be_written_leaves_the_one_before(tmp_path: Path) -> None:
    run_folder.save_checkpoint(tmp_path, {"steps": 1})
    with pytest.raises(AttributeError, match="pickle"):
        run_folder.save_checkpoint(tmp_path, {"steps": lambda: 2})
    assert run_folder.load_checkpoint(tmp_path, torch.device("cpu")) == {"steps": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.pt"]
