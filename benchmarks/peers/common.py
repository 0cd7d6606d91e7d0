"""What every peer does with an upload: decode it, run the same file on one thread, answer the probabilities.

Canonical images need no more. With BENCH_NORMALISE in the environment they are what people send, and the peers prepare
them by the service's own code; of the candidates that a picture comes to they read the first alone, which is less work.
"""

import io
import os

import numpy as np
import onnxruntime
from PIL import Image

from service.picture.normalise import normalise
from service.picture.prepare import Wanted, prepare

MODEL = os.environ["BENCH_MODEL"]
NORMALISE = "BENCH_NORMALISE" in os.environ
MAX_BATCH = 64

WANTED = Wanted(reads_digits=True, shape=(28, 28), max_pixels=16_000_000)


def decode(content: bytes) -> np.ndarray:
    """uint8 [28, 28]"""
    if not NORMALISE:
        return canonical(Image.open(io.BytesIO(content)))
    return first(prepare(content, WANTED).pixels)


def decoded(image: Image.Image) -> np.ndarray:
    """The same of a server that opens images itself."""
    return first(normalise(image).digits) if NORMALISE else canonical(image)


def canonical(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("L"))


def first(candidates: np.ndarray | None) -> np.ndarray:
    if candidates is None:
        raise ValueError("there is nothing to read in this image")
    digit: np.ndarray = candidates[0]
    return digit


def open_session() -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(MODEL, options, providers=["CPUExecutionProvider"])


def run(session: onnxruntime.InferenceSession, images: np.ndarray) -> np.ndarray:
    """uint8 [N, 28, 28] → probabilities, float32 [N, 10]"""
    probabilities: np.ndarray = session.run(["probabilities"], {"images": images})[0]
    return probabilities


def answer(probabilities: np.ndarray) -> dict[str, object]:
    return {"digit": int(probabilities.argmax()), "probabilities": probabilities.tolist()}
