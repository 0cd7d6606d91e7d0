"""Where the milliseconds of a photo go: `python -m benchmarks.photo`.

Colour JPEGs of an MNIST digit on paper, lit from one side and with a sensor's noise, from 64 pixels a side to 12
megapixels, prepared as the service does on one core. Each stage's time is without that of the stages that it calls;
medians of all turns. The network that reads is timed beside: it gets every candidate of the picture in one batch.
"""

import functools
import json
import os
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks import command_line, driver, report
from benchmarks.peers.targets import ROOT
from service.picture import find, normalise, prepare
from service.runtime import CPU, runtime

SIDES = (64, 200, 1000, 3464)
WARM_UP = 5

# The function that is a stage, and where it is looked up.
STAGES = {
    "scan of the file": (prepare, "strip"),
    "decoder": (prepare, "decode"),
    "grey levels": (normalise, "to_grey"),
    "rules": (normalise, "by_contrast"),
    "network for ink": (find, "find_ink"),
    "where to look, what to take": (normalise, "find"),
    "hash of the file": (prepare, "made"),
}
WHOLE, READING = "prepare in all", "network that reads"
WANTED = prepare.Wanted(reads_digits=True, shape=(28, 28), max_pixels=16_000_000)
MODEL = ROOT / "exported" / "googlenet" / "model.int8.onnx"


@dataclass(frozen=True)
class Arguments:
    turns: int = 100
    """of each picture"""
    out: Path = Path("benchmarks/results")

    def __post_init__(self) -> None:
        command_line.above_zero(turns=self.turns)


class Stopwatch:
    """Exclusive seconds by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.inner = [0.0]

    def timed(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*arguments: Any, **named: Any) -> Any:
            self.inner.append(0.0)
            start = time.perf_counter()
            try:
                return function(*arguments, **named)
            finally:
                took = time.perf_counter() - start
                self.seconds[stage] += took - self.inner.pop()
                self.inner[-1] += took

        return call


def photo(side: int) -> bytes:
    rng = np.random.default_rng(side)
    paper = np.tile(200 - np.linspace(0, 60, side, dtype=np.float32)[:, np.newaxis], (1, side))
    ink = np.asarray(Image.fromarray(driver.digit()).resize((side // 2, side // 2)), np.float32)
    start = side // 4
    paper[start : start + len(ink), start : start + len(ink)] -= ink / 2
    colours = paper[..., np.newaxis] * np.array([1, 0.97, 0.9], np.float32)
    colours += rng.normal(0, 3, colours.shape).astype(np.float32)
    file = BytesIO()
    Image.fromarray(colours.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=90)
    return file.getvalue()


def stages_of(content: bytes, read: Callable[[NDArray[np.uint8]], Any], watch: Stopwatch) -> dict[str, float]:
    """Milliseconds by stage."""
    watch.seconds.clear()
    start = time.perf_counter()
    prepared = prepare.prepare(content, WANTED)
    whole = time.perf_counter() - start
    if prepared.pixels is None:
        raise SystemExit(f"the photo cannot be read: {prepared.reason or prepared.fault}")
    start = time.perf_counter()
    read(prepared.pixels)
    reading = time.perf_counter() - start
    seconds = {stage: watch.seconds[stage] for stage in STAGES} | {WHOLE: whole, READING: reading}
    return {stage: 1000 * value for stage, value in seconds.items()}


def reader() -> Callable[[NDArray[np.uint8]], Any]:
    options = runtime().SessionOptions()
    options.intra_op_num_threads = 1
    session = runtime().InferenceSession(MODEL, options, providers=[CPU])
    return lambda images: session.run(["probabilities"], {"images": images})


def main() -> None:
    arguments = command_line.parse(Arguments, "photo", __doc__)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    watch = Stopwatch()
    for stage, (module, name) in STAGES.items():
        setattr(module, name, watch.timed(stage, getattr(module, name)))
    read, photos = reader(), {side: photo(side) for side in SIDES}
    taken: dict[int, list[dict[str, float]]] = {side: [] for side in SIDES}
    for _ in range(WARM_UP + arguments.turns):
        for side, content in photos.items():
            taken[side].append(stages_of(content, read, watch))
    medians = {
        str(side): {stage: float(np.median([one[stage] for one in each[WARM_UP:]])) for stage in each[0]}
        for side, each in taken.items()
    }
    print(f"| ms, medians of {arguments.turns} | {' | '.join(f'{side} px' for side in SIDES)} |")
    print("|---" * (len(SIDES) + 1) + "|")
    for stage in (*STAGES, WHOLE, READING):
        print(f"| {stage} | {' | '.join(f'{medians[str(side)][stage]:.2f}' for side in SIDES)} |")
    line = report.line_of("photo", medians, turns=arguments.turns)
    report.save(line, arguments.out)
    print(json.dumps(line))


if __name__ == "__main__":
    main()
