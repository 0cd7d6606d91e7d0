"""The processes of one server: how many there are, and the folder in which they count together."""

import atexit
import os
import shutil
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import bentoml
import loky

from service.settings import Settings

SHARED_FOLDER = "_NUMERAL_SHARED_FOLDER"
"""The variable by which workers learn of the folder that their supervisor made."""


MEMORY = "/dev/shm"  # noqa: S108  # mkdtemp makes a folder of our own in it
"""Better than /tmp where there is such a place: a disk would be written to, and swept of what looks old."""


def count(settings: Settings) -> int:
    """One for each core; one in all where the networks may run on a GPU, which batches serve better than processes."""
    if settings.workers:
        return settings.workers
    on_cpu = settings.provider == "cpu" or settings.precision == "int8" or not can_use_cuda()
    return cores() if on_cpu else 1


def threads(settings: Settings) -> int:
    """Of ONNX Runtime in each worker: together as many as there are cores."""
    return settings.threads or share_of_cores(settings)


def share_of_cores(settings: Settings) -> int:
    return max(1, cores() // count(settings))


def cores() -> int:
    """That this process may use, by affinity and by the limits of its cgroup."""
    available: int = loky.cpu_count()
    return available


def can_use_cuda() -> bool:
    """Told by the package: to ask ONNX Runtime itself, the supervisor would have to load it."""
    try:
        return bool(version("onnxruntime-gpu"))
    except PackageNotFoundError:
        return False


def share_folder() -> None:
    """Called once, in the supervisor. The workers inherit its environment."""
    folder = tempfile.mkdtemp(prefix="numeral-", dir=MEMORY if os.access(MEMORY, os.W_OK) else None)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ[SHARED_FOLDER] = folder


def shared_folder() -> Path | None:
    """None in a process that no supervisor started, which then counts for itself."""
    folder = os.environ.get(SHARED_FOLDER)
    return Path(folder) if folder else None


def index() -> int:
    """From 1; a worker that replaces another takes its place."""
    return bentoml.server_context.worker_index or 1
