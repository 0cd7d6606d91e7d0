"""`numeral serve` and the small verbs, as processes."""

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import psutil
import pytest

from tests.harness import ROOT, free_port, wait_until_ready
from tests.numeral.harness import COMMAND, environment, numeral

KEY = "a-key-of-sixteen-characters"

# The command where torch is not installed.
WITHOUT_TORCH = """
import sys
from importlib.abc import MetaPathFinder
class NoTorch(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.split(".")[0] == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")
sys.meta_path.insert(0, NoTorch())
from numeral.command_line import main
main()
"""


def test_it_serves_from_anywhere_says_where_and_stops_when_told(tmp_path: Path) -> None:
    """With what lies in the user's folder: neither a module's name nor a relative setting is taken for another."""
    (tmp_path / "random.py").write_text("raise SystemExit('the wrong random')")
    (tmp_path / "models").symlink_to(ROOT / "exported")
    (tmp_path / "keys").write_text(KEY)
    (tmp_path / "kept").mkdir()
    port, log = free_port(), tmp_path / "log"
    relative = {"NUMERAL_MODELS_DIR": "models", "NUMERAL_API_KEY_FILE": "keys", "NUMERAL_FEEDBACK_DIR": "kept"}
    own = environment() | relative | {"NUMERAL_WORKERS": "1"}
    code = "import sys; sys.path.pop(0); from numeral.command_line import main; main()"
    with log.open("wb") as output:
        command = [sys.executable, "-c", code, "serve", "--port", str(port)]
        process = subprocess.Popen(command, cwd=tmp_path, env=own, stdout=output, stderr=subprocess.STDOUT)
    try:
        wait_until_ready(f"http://127.0.0.1:{port}", process, log)
        assert f"numeral: open http://localhost:{port} (Ctrl-C stops)" in log.read_text()
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"X-API-Key": KEY}, timeout=30) as client:
            photo = (ROOT / "digit.png").read_bytes()
            assert client.post("/classify", content=photo).json()["digit"] == 2
            assert client.post("/feedback", params={"label": "2"}, content=photo).is_success
        assert [path.parent.name for path in (tmp_path / "kept").rglob("*.png")] == ["2"]
        assert "bentoml" in psutil.Process(process.pid).cmdline()

        taken = numeral("serve", "--port", str(port), cwd=tmp_path / "models")
        said = (
            f"numeral: port {port} of 127.0.0.1 cannot be had: Address already in use; --port and --host choose another"
        )
        assert (taken.returncode, taken.stderr.decode().splitlines()) == (2, [said])
    finally:
        process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 0


def test_a_wrong_setting_is_one_line(tmp_path: Path) -> None:
    own = environment() | {"NUMERAL_MAX_BATCH": "many"}
    result = subprocess.run([*COMMAND, "serve"], cwd=tmp_path, env=own, capture_output=True, text=True)
    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("numeral: NUMERAL_MAX_BATCH is 'many': ")


def test_an_address_of_another_machine_is_one_line(tmp_path: Path) -> None:
    result = numeral("serve", "--host", "192.0.2.1", cwd=tmp_path)
    assert result.returncode == 2
    (line,) = result.stderr.decode().splitlines()
    assert line.startswith("numeral: port 3000 of 192.0.2.1 cannot be had: ")


def test_make_serve_says_that_its_port_is_taken(tmp_path: Path) -> None:
    """By the recipe that make would run, in this environment."""
    told = subprocess.run(
        ["make", "--dry-run", "--old-file", ".venv/installed-cpu", "serve"], cwd=ROOT, capture_output=True, text=True
    )
    (recipe,) = [line for line in told.stdout.splitlines() if "numeral serve" in line]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = recipe.replace(".venv/bin/numeral", " ".join(COMMAND)).replace("3000", str(port))
        result = subprocess.run(["sh", "-c", command], cwd=tmp_path, env=environment(), capture_output=True, text=True)
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1


def test_models_lists_what_there_is(tmp_path: Path) -> None:
    lines = numeral("models", cwd=tmp_path).stdout.decode().splitlines()
    assert [line.split()[:3] for line in lines[1:]] == [
        ["alexnet", "alexnet-lite", "fp32"],
        ["alexnet", "alexnet-lite", "int8"],
        ["googlenet", "googlenet", "fp32"],
        ["googlenet", "googlenet", "int8"],
    ]
    listed = json.loads(numeral("models", "--json", cwd=tmp_path).stdout)
    for one in listed:
        metadata = json.loads((Path(one["path"]).parent / "metadata.json").read_text())
        assert one["sha256"] == metadata["files"][Path(one["path"]).name]["sha256"]
        assert (one["test_accuracy"], one["test_images"]) == (metadata["test"]["accuracy"], metadata["test"]["n"])
    nothing = numeral("models", "--models-dir", "nowhere", cwd=tmp_path)
    assert nothing.returncode == 2
    assert len(nothing.stderr.splitlines()) == 1


def test_the_verbs_of_training_take_their_own_arguments(tmp_path: Path) -> None:
    described = numeral("describe", "alexnet-paper", "--classes", "7", cwd=tmp_path)
    assert described.returncode == 0
    assert b"[1, 7]" in described.stdout
    assert b"usage: python -m training.train" in numeral("train", "--recipe", "sample", "--help", cwd=tmp_path).stdout
    wrong = numeral("train", "--recipe", "sample", "--epochs", "0", cwd=tmp_path)
    assert (wrong.returncode, wrong.stderr.startswith(b"error: epochs is 0")) == (1, True)
    assert b"nowhere" in numeral("evaluate", "nowhere", cwd=tmp_path).stderr
    assert b"nowhere" in numeral("export", "nowhere", "x", cwd=tmp_path).stderr


@pytest.mark.parametrize("verb", ["train", "evaluate", "export", "describe"])
def test_without_torch_one_line_says_what_brings_it(verb: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", WITHOUT_TORCH, verb, "--help"]
    result = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True)
    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert line == (
        f"numeral: numeral {verb} needs torch, which is not installed; the extra 'train' brings it: "
        "pip install 'numeral[cpu,train]'"
    )


def test_completion_of_a_shell(tmp_path: Path) -> None:
    command = [*COMMAND, "--show-completion", "bash"]
    own = {**environment(), "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    result = subprocess.run(command, cwd=tmp_path, env=own, capture_output=True, check=True)
    assert b"complete" in result.stdout
