"""A service that cannot work does not start: an exit code, one line with the reason, no respawning."""

import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import onnx
import onnxruntime
import pytest

from tests.harness import ROOT, free_port, start_server


def failed_start(log: Path, **settings: str) -> str:
    """The one line that says why; fails where the server starts, or tries more than once."""
    process = start_server(free_port(), log, ".", ROOT, **settings)
    try:
        assert process.wait(timeout=60) not in (0, None)
    except subprocess.TimeoutExpired:
        process.kill()
        pytest.fail(f"the server did not give up:\n{log.read_text()}")
    reasons = [line for line in log.read_text().splitlines() if "cannot start" in line]
    assert len(reasons) == 1, log.read_text()
    assert "Traceback" not in log.read_text()
    return reasons[0]


@pytest.mark.skipif(
    "CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="this onnxruntime has a CUDA provider"
)
def test_cuda_without_cuda(tmp_path: Path) -> None:
    assert "this onnxruntime has no CUDA provider" in failed_start(tmp_path / "log", provider="cuda")


def test_a_wrong_setting(tmp_path: Path) -> None:
    assert "NUMERAL_PROVIDER is 'tpu': input should be 'auto', 'cuda' or 'cpu'" in failed_start(
        tmp_path / "log", provider="tpu"
    )


def test_a_wrong_hash(tmp_path: Path) -> None:
    models = tmp_path / "models"
    shutil.copytree(ROOT / "exported", models)
    path = models / "googlenet/metadata.json"
    metadata = json.loads(path.read_text())
    metadata["files"]["model.onnx"]["sha256"] = "0" * 64
    path.write_text(json.dumps(metadata))
    assert f"its metadata.json says {'0' * 64}" in failed_start(tmp_path / "log", models_dir=str(models))


def test_an_operator_that_is_not_onnxs_own(tmp_path: Path) -> None:
    models = tmp_path / "models"
    shutil.copytree(ROOT / "exported", models)
    path = models / "alexnet/model.onnx"
    model = onnx.load(path)
    model.graph.node[0].domain = "com.acme"
    path.write_bytes(model.SerializeToString())
    metadata = json.loads((models / "alexnet/metadata.json").read_text())
    metadata["files"]["model.onnx"]["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (models / "alexnet/metadata.json").write_text(json.dumps(metadata))
    said = failed_start(tmp_path / "log", models_dir=str(models), precision="fp32")
    assert "alexnet/model.onnx uses the operator 'Unsqueeze' of the domain 'com.acme'; allowed: " in said


def test_too_few_files(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, before[1]))
    try:
        assert "100 files may be open at a time (ulimit -n); 128 or more" in failed_start(tmp_path / "log")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_onnxruntime_leaves_no_device_id(tmp_path: Path) -> None:
    """Its reports to its makers are off: with them on it writes one into the home folder."""
    own = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    environment = {**own, "HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    subprocess.run([sys.executable, "-m", "service.check"], cwd=ROOT, env=environment, check=True, capture_output=True)
    assert list(tmp_path.iterdir()) == []
