"""Whether a new model may take the place of the one that is served: what it reads, and how long it takes, both tried on
the machine that serves. A start asks for less: there is nothing to lose yet."""

import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.errors import StartError
from service.model.engine import Engine

# MNIST digits, 0 to 9 from left to right in each line, all of which the shipped models read.
KNOWN = Path(__file__).with_name("known_digits.png")
SIDE = 28
LEAST_RIGHT = 16

# How many times as long as the old one a new one may take for an image, where networks of one size differ by less than
# two and the largest by eight; and the runs of which the quickest counts, as others use the machine too.
SLOWEST = 20
RUNS = 5


def known_digits() -> tuple[NDArray[np.uint8], list[str]]:
    """uint8 [20, 28, 28], and what they are."""
    sheet = np.asarray(Image.open(KNOWN))
    lines, columns = (length // SIDE for length in sheet.shape)
    images = sheet.reshape(lines, SIDE, columns, SIDE).swapaxes(1, 2).reshape(-1, SIDE, SIDE)
    return images, [str(digit) for _ in range(lines) for digit in range(columns)]


def compare(new: Engine, old: Engine) -> None:
    """Raises StartError that says why `new` may not take the place of `old`. Both are warm."""
    if contract(new) != contract(old):
        raise StartError(f"it takes and gives {contract(new)}, and {contract(old)} is served; a restart takes it")
    check_probabilities(new)
    if new.artefact.reads_digits:
        check_digits(new)
    before, now = seconds(old), seconds(new)
    if now > SLOWEST * before:
        raise StartError(
            f"it takes {1000 * now:.2f} ms for an image here, and the one that is served {1000 * before:.2f} ms; "
            f"allowed: {SLOWEST} times as long"
        )


def contract(engine: Engine) -> str:
    """What clients may have relied on: of tensors the shape, of probabilities the order."""
    artefact = engine.artefact
    size = "×".join(map(str, artefact.shape))
    return f"{'digits' if artefact.reads_digits else 'pictures'} of {size} as {', '.join(artefact.labels)}"


def check_probabilities(engine: Engine) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1, *engine.artefact.shape), np.uint8)
    total = float(engine.run(noise).sum())
    if not abs(total - 1) < 0.01:
        raise StartError(f"the probabilities that it gives come to {total:.3f}, and not to 1")


def check_digits(engine: Engine) -> None:
    """As many as `LEAST_RIGHT` must be read, and not all be refused."""
    images, digits = known_digits()
    probabilities = np.concatenate([engine.run(image[np.newaxis]) for image in images])
    read = [engine.artefact.labels[index] for index in probabilities.argmax(axis=1)]
    right = sum(one == other for one, other in zip(read, digits, strict=True))
    if right < LEAST_RIGHT:
        raise StartError(f"it reads {right} of {len(digits)} known digits right; {LEAST_RIGHT} or more are needed")
    surest = float(probabilities.max())
    if surest < engine.artefact.reject_threshold:
        threshold = engine.artefact.reject_threshold
        raise StartError(f"it would accept none of {len(digits)} known digits: reject_threshold is {threshold:g}")


def seconds(engine: Engine) -> float:
    """For an image alone, or in a full batch where that takes longer for each."""
    return max(quickest(engine, size) / size for size in (1, engine.max_batch))


def quickest(engine: Engine, size: int) -> float:
    images = np.zeros((size, *engine.artefact.shape), np.uint8)
    times = []
    for _ in range(RUNS):
        begin = time.perf_counter()
        engine.run(images)
        times.append(time.perf_counter() - begin)
    return min(times)
