"""Options that nothing can be measured with are refused in one line, with the value and what is allowed."""

import importlib

import pytest

from benchmarks import command_line


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("serving", ["--rounds", "0"], "rounds is 0; it must be above 0"),
        ("serving", ["--precision", "fp16"], "fp16"),
        ("batching", ["--connections", "8", "0"], "connections is 0; it must be above 0"),
        ("batching", ["--waits-ms", "-1"], "waits_ms is -1.0; it must be 0 or more"),
        ("engine", ["--seconds", "nan"], "seconds is nan; it must be above 0, and finite"),
        ("engine", ["--threads", "-1"], "threads is -1; it must be 0 or more"),
        ("open_loop", ["--seconds", "2"], "seconds is 2; it must be 3 or more"),
        ("open_loop", ["--shares", "inf"], "shares is inf; it must be above 0, and finite"),
        ("ablation", ["--seeds", "0"], "seeds is 0; it must be above 0"),
        ("ablation", ["--first-seed", "-1"], "first_seed is -1; it must be 0 or more"),
        ("time_to_accuracy", ["--learning-rate", "nan"], "learning_rate is nan; it must be above 0"),
        ("time_to_accuracy", ["--batch-size", "0"], "batch_size is 0; it must be above 0"),
        ("read_folder", ["--images", "20"], "images is 20; it must be above"),
        ("replicas", ["--rounds", "0"], "rounds is 0; it must be above 0"),
        ("training", ["--seconds", "-3"], "seconds is -3.0; it must be above 0"),
    ],
)
def test_options_without_sense_are_named(
    name: str, options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    kind = importlib.import_module(f"benchmarks.{name}").Arguments
    with pytest.raises(SystemExit) as exited:
        command_line.parse(kind, name, "about", options)
    printed = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert said in f"{printed} {exited.value}"


def test_options_not_given_are_not_checked() -> None:
    command_line.above_zero(batch_size=None, rounds=1)
    command_line.zero_or_more(waits=(0, 5.0))
