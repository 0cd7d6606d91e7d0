"""What every peer does with an upload: decode the PNG, run the same file on one thread, answer the probabilities.

None of them normalises: the images sent are canonical already.
"""

import io
import os

import numpy as np
import onnxruntime
from PIL import Image

MODEL = os.environ["BENCH_MODEL"]
MAX_BATCH = 64


def decode(content: bytes) -> np.ndarray:
    """uint8 [28, 28]"""
    return np.asarray(Image.open(io.BytesIO(content)).convert("L"))


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
