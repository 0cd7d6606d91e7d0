"""A small network that has learned which pixels of a picture are the ink of what is to be read.

It comes with the code, as it is a part of how a picture becomes canonical; `training.ink_finder` makes it, of pictures
whose ink is known. What it knows and contrast alone cannot: squared paper, the edge of a sheet, a neighbour's strokes,
which of two levels is the ink, pencil in noise.
"""

import functools
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from service.picture.arrays import Grey
from service.picture.canonical import resampling
from service.runtime import CPU, runtime

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

FILE = Path(__file__).with_name("ink_finder.onnx")

# Pixels a side of what the network sees.
SIDE = 64


@functools.cache
def session() -> "InferenceSession":
    options = runtime().SessionOptions()
    # One picture is too little to be shared out between threads.
    options.intra_op_num_threads = 1
    # ONNX Runtime's first session in a process sets this for the thread that opens it: training, which prepares
    # pictures too, has it on (`training.run.hardware`), and the default would turn it off.
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    opened: InferenceSession = runtime().InferenceSession(FILE, options, providers=[CPU])
    return opened


def fitted(grey: Grey) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """uint8 [64, 64]: the picture scaled to fill it one way, its mean level beside it; and its height and width."""
    height, width = grey.shape
    scale = SIDE / max(height, width)
    new = max(1, round(height * scale)), max(1, round(width * scale))
    scaled = resampling(height, new[0]) @ grey @ resampling(width, new[1]).T
    square = np.full((SIDE, SIDE), round(float(scaled.mean())), np.uint8)
    square[: new[0], : new[1]] = np.rint(scaled)
    return square, new


def find_ink(pictures: list[Grey]) -> list[Grey]:
    """For each the probability of ink, float32 [H', W'], the longer of which is `SIDE`."""
    squares, shapes = zip(*map(fitted, pictures), strict=True)
    found: NDArray[np.float32] = session().run(None, {"images": np.stack(squares)})[0]
    return [one[:height, :width] for one, (height, width) in zip(found, shapes, strict=True)]
