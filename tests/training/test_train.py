"""Training survives what happens to it: kills, Ctrl-C, divergence, and being started twice."""

import contextlib
import json
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from torch import Generator, nn
from tqdm import tqdm

from tests.harness import ROOT
from tests.training.tiny import SAMPLE
from training import evaluate
from training.data.dataset import DIGIT_LABELS, NOT_A_DIGIT, Dataset, Split
from training.errors import TrainingError
from training.run.recipe import RECIPES, Recipe
from training.run.run_folder import check_labels, keep_weights_alone, read_log, read_recipe
from training.run.state import Training
from training.train import main, train_epoch

# On the built-in sample, with a few synthesised images; two seconds an epoch where a processor is slow.
SMALL = [*SAMPLE, "--epochs", "3", "--batch-size", "100", "--device", "cpu"]
SMALL += ["--written-digits", "50", "--not-digits", "50"]

# For what takes no notice of how much there is to train on.
SMALLER = [*SMALL, "--images", "900"]


def start(*arguments: str) -> "subprocess.Popen[str]":
    """`python -m training.train`, which knows the tiny network."""
    command = [sys.executable, "-P", str(ROOT / "tests/training/tiny.py"), *arguments]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # Whatever a shell starts in the background ignores Ctrl-C, and so would this.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def after_epoch(run: Path, epoch: int, process: "subprocess.Popen[str]") -> None:
    """Returns in the middle of the epoch after `epoch`."""
    while process.poll() is None:
        if (run / "log.csv").exists() and len(read_log(run)) >= epoch:
            time.sleep(0.1)
            return
        time.sleep(0.02)
    pytest.fail(f"training ended early:\n{process.communicate()[0]}")


def weights(run: Path) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(run / "checkpoint.pt", weights_only=True)["averaged"]
    return state


def test_batch_normalisation_can_stay_as_it_began(tmp_path: Path) -> None:
    main([*SMALLER, "--epochs", "1", "--run", str(tmp_path / "first")])
    further = ["--start-from", str(tmp_path / "first"), "--ema-epochs", "0", "--epochs", "1"]
    main([*SMALLER, *further, "--freeze-norm", "--run", str(tmp_path / "further")])
    before, after = weights(tmp_path / "first"), weights(tmp_path / "further")
    same = {name.rpartition(".")[2] for name in after if torch.equal(before[name], after[name])}
    assert {"running_mean", "running_var"} <= same
    assert not {"weight", "bias"} & same


def test_without_an_average_the_weights_are_those_of_the_last_step(tmp_path: Path) -> None:
    main([*SMALLER, "--epochs", "2", "--ema-epochs", "0", "--run", str(tmp_path)])
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert state["steps"] > 1
    assert state["averaged"]["n_averaged"] == 2  # epochs: not once a step
    for name, value in state["model"].items():
        assert torch.equal(state["averaged"][f"module.{name}"], value), name


def test_killed_and_resumed_ends_with_the_same_weights(tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    main([*SMALL, "--run", str(whole)])
    process = start(*SMALL, "--run", str(killed))
    after_epoch(killed, 1, process)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert len(read_log(killed)) in (1, 2)
    main(["--resume", str(killed), "--device", "cpu"])
    assert [row.epoch for row in read_log(killed)] == [1, 2, 3]
    expected, resumed = weights(whole), weights(killed)
    assert all(torch.equal(expected[name], resumed[name]) for name in expected)
    assert {path.name for path in killed.iterdir()} == {
        *("checkpoint.pt", "confusion.png", "curves.png", "environment.json", "log.csv", "recipe.json")
    }


def test_ctrl_c_keeps_the_last_epoch_and_says_how_to_go_on(tmp_path: Path) -> None:
    process = start(*SMALL, "--run", str(tmp_path))
    after_epoch(tmp_path, 1, process)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Traceback" not in output
    assert f"python -m training.train --resume {tmp_path}" in output
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["rows"]


def write_end(pipe: Path, process: "subprocess.Popen[str]") -> int:
    """Returns when `process` has opened `pipe` to read from it."""
    while process.poll() is None:
        with contextlib.suppress(OSError):
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        time.sleep(0.05)
    pytest.fail(f"training ended early:\n{process.communicate()[0]}")


def test_ctrl_c_while_data_loads_names_nothing_to_go_on_with(tmp_path: Path) -> None:
    """One of the images is a pipe that nobody writes to, so loading takes until it is closed."""
    pipe = tmp_path / "data/cat/0.png"
    pipe.parent.mkdir(parents=True)
    os.mkfifo(pipe)
    process = start(*SMALL, "--data", f"folder:{tmp_path / 'data'}", "--run", str(tmp_path / "run"))
    end = write_end(pipe, process)
    process.send_signal(signal.SIGINT)
    os.close(end)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "stopped; the run had not begun" in output
    assert "--resume" not in output


def test_divergence_is_an_error_that_keeps_the_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"the loss of epoch \d is (nan|inf).*learning_rate is 1e\+30"):
        main([*SMALLER, "--learning-rate", "1e30", "--run", str(tmp_path)])
    assert json.loads((tmp_path / "recipe.json").read_text())["learning_rate"] == 1e30
    assert not list(tmp_path.glob("*.partial*"))
    with pytest.raises(SystemExit, match=r"training diverged.*diverged\.txt says so; to train on .*, remove it"):
        main(["--resume", str(tmp_path), "--device", "cpu"])
    (tmp_path / "diverged.txt").unlink()
    with pytest.raises(SystemExit, match=r"learning_rate is 1e\+30; try a lower one$"):
        main(["--resume", str(tmp_path), "--device", "cpu"])


def test_a_run_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "recipe.json").write_text("{}")
    with pytest.raises(SystemExit, match=f"already holds a run; go on with --resume {tmp_path}"):
        main([*SMALL, "--run", str(tmp_path)])
    assert (tmp_path / "recipe.json").read_text() == "{}"


def test_resuming_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="is no run folder"):
        main(["--resume", str(tmp_path)])


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_cuda_without_cuda_is_an_error_that_names_the_choices(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="device 'cuda' is not available to this torch; allowed here: auto, cpu"):
        main([*SMALL, "--device", "cuda", "--run", str(tmp_path / "run")])
    assert not (tmp_path / "run").exists()


def test_too_few_steps_for_a_schedule_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="1 epochs of 1 batches are 1 steps; a schedule needs 10 or more"):
        main([*SMALL, "--epochs", "1", "--batch-size", "4100", "--run", str(tmp_path / "run")])
    assert not (tmp_path / "run").exists()


def test_a_checkpoint_of_other_classes_is_refused() -> None:
    with pytest.raises(TrainingError, match="the data has the classes a, c; the run has a, b"):
        check_labels({"labels": ["a", "b"]}, ("a", "c"))


def test_a_run_begins_with_the_weights_of_another(tmp_path: Path) -> None:
    base, next_run = tmp_path / "base", tmp_path / "next"
    main([*SMALLER, "--run", str(base)])
    slow = ["--learning-rate", "1e-9", "--epochs", "2", "--ema-epochs", "0"]
    main([*SMALLER, *slow, "--start-from", str(base), "--run", str(next_run)])
    expected, found = weights(base), weights(next_run)
    for name in expected:
        if name.endswith("weight"):
            torch.testing.assert_close(found[name], expected[name], atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--start-from", "absent"], "start_from is absent, which holds neither a run"),
        (
            ["--data", "folder:{folder}"],
            "written_digits is 50, not_digits is 50; that is for digits, and tiny is to read folder:",
        ),
        (["--not-digits", "-1"], "not_digits is -1; it must be 0 or more"),
    ],
)
def test_what_cannot_be_trained_on_is_named(tmp_path: Path, arguments: list[str], said: str) -> None:
    from PIL import Image

    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for i in range(15):
            Image.new("L", (28, 28), i).save(tmp_path / name / f"{i}.png")
    given = [argument.format(folder=tmp_path) for argument in arguments]
    with pytest.raises(SystemExit, match=said):
        main([*SMALL, "--run", str(tmp_path / "run"), *given])


def test_curves_for_tensorboard_have_five_points_an_epoch(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    main([*SMALLER, "--epochs", "2", "--run", str(tmp_path / "run"), "--tensorboard"])
    events = EventAccumulator(str(tmp_path / "run/tensorboard"))
    events.Reload()
    assert len(events.Scalars("loss/train")) == 2 * 5
    assert len(events.Scalars("accuracy/validation")) == 2


def test_training_accuracy_is_of_the_digits_alone() -> None:
    """Of a network that says 0 to everything, and hardly learns: three in ten digits are right, of all few."""
    labels = torch.tensor([0, 0, 0, 1, 2, 3, 4, 5, 6, 7] + [NOT_A_DIGIT] * 30)
    images = torch.randint(0, 256, (len(labels), 28, 28), dtype=torch.uint8, generator=Generator().manual_seed(0))
    split = Split(images, labels)
    recipe = Recipe(network="tiny", epochs=10, batch_size=10, learning_rate=1e-12, weight_decay=0)
    training = Training(recipe, Dataset(DIGIT_LABELS, split, split, split), torch.device("cpu"))
    last = list(training.model.modules())[-1]
    assert isinstance(last, nn.Linear)
    with torch.no_grad():
        last.weight.zero_()
        last.bias.copy_(torch.tensor([5.0] + [0.0] * 9))
    with tqdm(disable=True) as silent:
        loss, accuracy = train_epoch(training, silent)
    assert math.isfinite(loss)
    assert accuracy == pytest.approx(0.3)


def test_a_run_on_the_validation_split_cannot_be_judged_by_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    main([*SMALLER, "--validate-on-test", "--run", str(tmp_path / "run"), "--tensorboard"])
    assert "3 epochs, test accuracy" in capsys.readouterr().out
    events = EventAccumulator(str(tmp_path / "run/tensorboard")).Reload()
    assert {"loss/test", "accuracy/test"} <= set(events.Tags()["scalars"])
    assert "loss/validation" not in events.Tags()["scalars"]
    with pytest.raises(TrainingError, match="was trained on the validation split too; allowed: --split test"):
        evaluate.evaluate(evaluate.Arguments(tmp_path / "run"))
    assert evaluate.evaluate(evaluate.Arguments(tmp_path / "run", split="test")).count == 500
    assert "precision" in capsys.readouterr().out.splitlines()[1], "no line for the folders that are joined: none is"


def test_a_finished_run_is_left_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([*SMALLER, "--epochs", "1", "--run", str(tmp_path / "run")])
    keep_weights_alone(tmp_path / "run")
    before = (tmp_path / "run/confusion.png").stat().st_mtime_ns
    (tmp_path / "run/log.csv").unlink()
    main(["--resume", str(tmp_path / "run")])
    assert "1 of 1 epochs are finished" in capsys.readouterr().out
    assert len(read_log(tmp_path / "run")) == 1
    assert (tmp_path / "run/confusion.png").stat().st_mtime_ns == before


def test_a_run_killed_before_its_pictures_gets_them_when_it_is_resumed(tmp_path: Path) -> None:
    main([*SMALLER, "--epochs", "2", "--run", str(tmp_path)])
    pictures = {name: (tmp_path / name).read_bytes() for name in ("curves.png", "confusion.png")}
    for name in pictures:
        (tmp_path / name).unlink()
    main(["--resume", str(tmp_path), "--device", "cpu"])
    assert {name: (tmp_path / name).read_bytes() for name in pictures} == pictures


def test_an_sgd_of_before_there_was_a_choice_is_read_as_what_it_was(tmp_path: Path) -> None:
    values = {name: value for name, value in asdict(RECIPES["sample"]).items() if name != "schedule"}
    for written, read in (({**values, "optimizer": "sgd"}, "nag"), ({**values, "optimizer": "adamw"}, "adamw")):
        (tmp_path / "recipe.json").write_text(json.dumps(written))
        assert read_recipe(tmp_path).optimizer == read
