"""ONNX Runtime and a drawing backend are not imported by the verbs, and reports of use to its makers are off."""

import os
import subprocess
import sys
from pathlib import Path

from tests.harness import ROOT


def run(code: str, home: Path) -> str:
    own = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    environment = {**own, "HOME": str(home), "TMPDIR": str(home), "MPLCONFIGDIR": str(home / "matplotlib")}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True).stdout


def test_onnxruntime_leaves_no_device_id(tmp_path: Path) -> None:
    """With its reports on it writes one into the home folder as soon as it is imported."""
    code = "from training.run import onnx_runtime; print(onnx_runtime.imported().__version__)"
    assert run(code, tmp_path).startswith("1.")
    assert list(tmp_path.iterdir()) == []


def test_the_verbs_are_imported_without_it(tmp_path: Path) -> None:
    verbs = ", ".join(f"training.{verb}" for verb in ("train", "evaluate", "export", "describe", "compare.__main__"))
    code = f"import sys, {verbs}; print('onnxruntime' in sys.modules, 'matplotlib.pyplot' in sys.modules)"
    assert run(code, tmp_path).split() == ["False", "False"]
