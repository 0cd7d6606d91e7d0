"""The command line as a process of its own, from wherever a user is."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from tests.harness import ROOT, Digits

COMMAND = [sys.executable, "-m", "numeral"]


def environment() -> dict[str, str]:
    """In which numeral is found, whatever the folder, and no setting is."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("NUMERAL_")}
    return {**own, "PYTHONPATH": str(ROOT), "BENTOML_DO_NOT_TRACK": "True"}


def numeral(*arguments: str | Path, cwd: Path, stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], cwd=cwd, env=environment(), input=stdin, capture_output=True
    )


def begun(*arguments: str | Path, cwd: Path) -> "subprocess.Popen[bytes]":
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.Popen(
        command,
        cwd=cwd,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # Whatever a shell starts in the background ignores Ctrl-C, and so would this.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def save_digits(folder: Path, digits: Digits, count: int, scale: int = 1) -> list[str]:
    """PNGs, by name as `numeral read` orders them. scale: how many times as large."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"{index:05}.png" for index in range(count)]
    for name, pixels in zip(names, images(digits, count), strict=True):
        Image.fromarray(pixels.repeat(scale, axis=0).repeat(scale, axis=1)).save(folder / name)
    return names


def images(digits: Digits, count: int) -> Sequence[np.ndarray]:
    """Spread over all ten digits, which the sample has one after the other."""
    return [digits.images[index * 7 % len(digits.images)] for index in range(count)]
