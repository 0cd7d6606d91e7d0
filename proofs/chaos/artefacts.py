"""The models on disk are broken and replaced under the server's feet."""

import shutil
import signal
import tempfile
from pathlib import Path

from proofs.chaos.processes import replaced
from proofs.chaos.row import Row, under_load
from proofs.served import Served, seconds_until
from tests.artefacts import change_metadata
from tests.harness import ROOT

# Seconds for models to be loaded, checked and taken over.
RELOAD = 30


def replaced_on_disk() -> Row:
    """Nothing of it is served before a reload, by a worker that begins anew neither."""
    row = Row("models broken and replaced on disk")
    with tempfile.TemporaryDirectory() as folder:
        models = copy_of_models(Path(folder))
        with under_load(row, models_dir=str(models)) as server:
            (models / "googlenet" / "model.onnx").write_bytes(b"broken")
            (models / "googlenet" / "model.int8.onnx").write_bytes(b"broken")
            replace_a_worker(row, server)
            shutil.rmtree(models / "googlenet")
            shutil.copytree(models / "alexnet", models / "googlenet")
            replace_a_worker(row, server)
    return row


def reloaded() -> Row:
    """SIGHUP: what is broken is not taken over, what is right is, and nothing is lost meanwhile."""
    row = Row("SIGHUP, of models broken and right")
    with tempfile.TemporaryDirectory() as folder:
        models = copy_of_models(Path(folder))
        with under_load(row, models_dir=str(models)) as server:
            metadata = models / "alexnet" / "metadata.json"
            whole = metadata.read_bytes()
            metadata.write_bytes(b"{")
            server.supervisor.send_signal(signal.SIGHUP)
            row.check(said(server, "reload refused:", RELOAD), "nobody was told that a model is broken")
            row.check("reloaded:" not in server.log.read_text(), "a broken model was taken over")
            metadata.write_bytes(whole)
            change_metadata(models / "alexnet", reject_threshold=0.5)
            server.supervisor.send_signal(signal.SIGHUP)
            row.check(said(server, "reloaded: alexnet", RELOAD), "no line says that the model was taken over")
    return row


def copy_of_models(folder: Path) -> Path:
    return Path(shutil.copytree(ROOT / "exported", folder / "models"))


def replace_a_worker(row: Row, server: Served) -> None:
    victim = server.workers()[0]
    row.lost_allowed += 10
    victim.kill()
    row.check(replaced(victim, server), "no worker came in its place")


def said(server: Served, line: str, seconds: float) -> bool:
    found = seconds_until(lambda: line in server.log.read_text(), seconds)
    return found is not None
