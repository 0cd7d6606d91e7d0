"""The help names all options, and the worst mistakes come first."""

import pytest
import torch

from training.evaluate import main, worst_mistakes


def test_the_help_names_the_options_of_both_forms(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    printed = capsys.readouterr().out
    assert all(option in printed for option in ("--split", "--url", "--model", "--pictures"))
    with pytest.raises(SystemExit):
        main(["--uploads", "pictures", "--help"])
    assert "--pictures PATH" in capsys.readouterr().out


def test_the_surest_mistake_comes_first() -> None:
    logits = torch.tensor([[5.0, 0.0], [1.0, 0.0], [9.0, 0.0], [0.0, 1.0]])
    labels = torch.tensor([1, 1, 1, 1])
    assert worst_mistakes(logits, labels).tolist() == [2, 0, 1]
