"""The folder of one server that its processes share: their numbers, the models they serve, the supervisor's sockets."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

# The variable by which workers learn of the folder that their supervisor made: they inherit its environment.
VARIABLE = "_NUMERAL_SHARED_FOLDER"

# Better than /tmp where there is such a place: a disk would be written to, and swept of what looks old.
MEMORY = "/dev/shm"  # noqa: S108  # mkdtemp makes a folder of our own in it


def make() -> Path:
    """Called once, in the supervisor, as whose user alone it can be entered. It goes when the supervisor ends."""
    folder = tempfile.mkdtemp(prefix="numeral-", dir=MEMORY if os.access(MEMORY, os.W_OK) else None)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ[VARIABLE] = folder
    return Path(folder)


def find() -> Path | None:
    """None in a process that no supervisor started, which then serves by itself."""
    folder = os.environ.get(VARIABLE)
    return Path(folder) if folder else None
