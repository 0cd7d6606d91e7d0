"""Which generation of its models a server serves: a folder for each in the shared folder, and a link to one of them.

The supervisor turns the link to another, the workers look at it, and say on the board by which they answer.
"""

import contextlib
import os
import shutil
from pathlib import Path

FOLDER = "models"
CURRENT = "current"

# What a server starts with.
FIRST = 1


def folder(shared: Path, number: int) -> Path:
    """As `NUMERAL_MODELS_DIR` else: a folder for each model."""
    return shared / FOLDER / str(number)


def current(shared: Path) -> int:
    return int(str((shared / FOLDER / CURRENT).readlink()))


def publish(shared: Path, number: int) -> None:
    """At once: whoever looks sees the one or the other."""
    half = shared / FOLDER / f".{CURRENT}"
    half.unlink(missing_ok=True)
    half.symlink_to(str(number))
    os.replace(half, shared / FOLDER / CURRENT)


def keep_only(shared: Path, number: int) -> None:
    """Removes the folders of all others, which nobody reads any more."""
    with contextlib.suppress(OSError):  # the next time, then
        for other in (shared / FOLDER).iterdir():
            if other.name not in (str(number), CURRENT):
                shutil.rmtree(other, ignore_errors=True)
