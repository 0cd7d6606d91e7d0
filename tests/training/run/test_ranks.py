"""Several processes of torchrun end with the weights of one: same batches, batch statistics, dropout and averages."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch

from tests.harness import ROOT
from tests.training.tiny import SAMPLE
from training.run import hardware
from training.run.run_folder import read_environment, read_log
from training.train import main

# Batches of 50: of three processes two have 17 images of each, and one has 16. At a low rate: what the order of sums
# changes in the last bit grows from step to step.
SMALL = [*SAMPLE, "--images", "500", "--epochs", "3", "--batch-size", "50", "--device", "cpu"]
SMALL += ["--written-digits", "50", "--not-digits", "50", "--learning-rate", "0.002"]

# Of weights and statistics in float32 after 36 steps, 8e-5 is seen; of losses, relative.
TOLERANCE, LOSS_TOLERANCE = 2e-4, 1e-5


def torchrun(count: int, *arguments: str) -> "subprocess.Popen[str]":
    command = [str(Path(sys.executable).with_name("torchrun")), "--standalone", f"--nproc-per-node={count}"]
    return subprocess.Popen(
        # torchrun would take --run for a half of an option of its own.
        [*command, "--", str(ROOT / "tests/training/tiny.py"), *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TINY_FLOAT32": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of one process."""
    run = tmp_path_factory.mktemp("alone")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hardware, "has_bf16", lambda _device: False)
        main([*SMALL, "--run", str(run)])
    return run


def assert_same(run: Path, alone: Path) -> None:
    """The checkpoint whole: weights, their averages and batch statistics, the optimizer, the schedule."""
    found, expected = (torch.load(each / "checkpoint.pt", weights_only=True) for each in (run, alone))
    for part in ("model", "averaged"):
        assert found[part].keys() == expected[part].keys()
        for name in expected[part]:
            torch.testing.assert_close(found[part][name], expected[part][name], rtol=0, atol=TOLERANCE)
    assert found["schedule"] == expected["schedule"]
    for row, other in zip(read_log(run), read_log(alone), strict=True):
        assert row.train_loss == pytest.approx(other.train_loss, rel=LOSS_TOLERANCE)
        assert row.validation_loss == pytest.approx(other.validation_loss, rel=LOSS_TOLERANCE)
        assert row.train_accuracy == pytest.approx(other.train_accuracy, abs=0.002)


def test_three_processes_end_with_the_weights_of_one(alone: Path, tmp_path: Path) -> None:
    process = torchrun(3, *SMALL, "--run", str(tmp_path))
    output, _ = process.communicate()
    assert process.returncode == 0, output
    assert output.count("3 epochs, validation accuracy") == 1
    assert_same(tmp_path, alone)
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in alone.iterdir()}
    assert read_environment(tmp_path)["processes"] == "3"


def ranks_of(process: "subprocess.Popen[str]") -> list[psutil.Process]:
    """In their order."""
    found = [child for child in psutil.Process(process.pid).children() if "RANK" in child.environ()]
    return sorted(found, key=lambda child: int(child.environ()["RANK"]))


def test_where_one_dies_the_run_ends_and_goes_on_by_itself(
    alone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = torchrun(2, *SMALL, "--run", str(tmp_path))
    while not ((tmp_path / "log.csv").exists() and read_log(tmp_path)):
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.02)
    ranks_of(process)[1].send_signal(signal.SIGKILL)
    output, _ = process.communicate()
    assert process.returncode == 1
    assert len(read_log(tmp_path)) in (1, 2)
    assert "ended" in output
    assert f"go on with: python -m training.train --resume {tmp_path}" in output
    monkeypatch.setattr(hardware, "has_bf16", lambda _device: False)
    main(["--resume", str(tmp_path), "--device", "cpu"])
    assert [row.epoch for row in read_log(tmp_path)] == [1, 2, 3]
    assert_same(tmp_path, alone)


def test_what_is_wrong_is_said_once(tmp_path: Path) -> None:
    process = torchrun(2, *SMALL, "--data", "absent", "--run", str(tmp_path / "run"))
    output, _ = process.communicate()
    assert process.returncode == 1
    assert output.count("error: data 'absent' is unknown") == 1
    assert not (tmp_path / "run").exists()
