"""A new artefact into the place of an old one: asked for, and whole or not at all."""

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

from training.errors import TrainingError


def refuse_unless_asked(target: Path, replace: bool) -> None:
    """Before the work, where nobody could be asked after it. Raises TrainingError."""
    if target.exists() and not replace and not sys.stdin.isatty():
        raise TrainingError(f"{target} is there already; --replace puts the new one in its place")


def put(new: Path, target: Path, replace: bool) -> None:
    """Raises TrainingError where `target` is there, and whoever sits at the terminal wants to keep it."""
    if target.exists() and not replace:
        print(f"there now: {acceptance(target)}")
        if not confirmed(f"replace {target}? y/N "):
            raise TrainingError(f"{target} is as it was; the new one is thrown away")
    replace_folder(new, target)


def confirmed(question: str) -> bool:
    try:
        return input(question).strip().lower() in ("y", "yes")
    except EOFError:
        return False


def acceptance(folder: Path) -> str:
    """What an artefact's threshold comes to, on images that nothing was fitted on, as its metadata says."""
    try:
        calibration = json.loads((folder / "metadata.json").read_text())["calibration"]
        threshold, accepted = calibration["reject_threshold"], calibration["accepted_share"]
        right, others = calibration["right_share"], calibration["false_accept_rate"]
    except (OSError, ValueError, KeyError, TypeError):
        return "it does not say what it accepts"
    said = f"accepts {accepted:.2%} of its calibration images at the threshold {threshold:.3f}"
    said += "" if right is None else f", of these {right:.2%} right"
    return said + ("" if others is None else f", and {others:.2%} of what is of no class")


def replace_folder(new: Path, target: Path) -> None:
    """Renames `new` to `target`, which makes way only once the new folder is whole, and comes back where that fails.

    Where it cannot come back either it stays beside `target`, and the error names both places.
    A folder cannot be renamed over another: between the two renames there is none, for some microseconds.
    """
    if not target.exists():
        os.replace(new, target)
        return
    old = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}-old-"))
    os.replace(target, old / target.name)
    try:
        os.replace(new, target)
    except BaseException:
        os.replace(old / target.name, target)
        old.rmdir()
        raise
    shutil.rmtree(old)
