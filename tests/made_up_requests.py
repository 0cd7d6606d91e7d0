"""What Schemathesis, which loads this, sends beside what it makes up of the document alone: pictures and tensors.

Without them hardly a request would get as far as a network.
"""

import random
from base64 import b64encode
from typing import Any

import numpy as np
import schemathesis
from hypothesis import strategies as st
from schemathesis import HookContext

from service.web.open_inference.read import HEADER_LENGTH
from tests.harness import ROOT, encode, png, sample_digits

DIGITS = [png(pixels) for pixels in sample_digits().images[::100]]
PICTURES = [
    (ROOT / "digit.png").read_bytes(),
    png(np.full((40, 40), 255, np.uint8)),
    *(encode(sample_digits().pick(5), kind) for kind in ("JPEG", "WEBP", "BMP", "GIF", "TIFF")),
]
BROKEN = [b"", b"text", DIGITS[0][:50], DIGITS[0][:-20] + bytes(20), b"\xff\xd8\xff"]
CONTENT = st.one_of(
    st.sampled_from(DIGITS), st.sampled_from(PICTURES), st.sampled_from(BROKEN), st.binary(max_size=200)
)

schemathesis.openapi.format("binary", CONTENT)


@schemathesis.hook
def map_body(context: HookContext, body: Any) -> Any:
    """Of the inference requests most have an input that is one, the rest of them is left as it was made up."""
    if not context.operation or not context.operation.path.endswith("/infer") or not isinstance(body, dict):
        return body
    chance = random.Random(repr(body))  # the same for the same request, in every run
    if chance.random() < 0.8 and "inputs" in body:
        body["inputs"] = [tensor_input(chance)]
    if chance.random() < 0.8:
        body["outputs"] = [output(chance) for _ in range(chance.randrange(3))]
    return body


@schemathesis.hook
def map_headers(context: HookContext, headers: Any) -> Any:
    """A length made up fits no body; most have none."""
    if headers and random.Random(repr(sorted(headers.items()))).random() < 0.8:
        return {name: value for name, value in headers.items() if name != HEADER_LENGTH}
    return headers


def tensor_input(chance: random.Random) -> dict[str, Any]:
    count = chance.randrange(4)
    if chance.random() < 0.5:
        data = [b64encode(chance.choice(DIGITS + PICTURES + BROKEN[:2])).decode() for _ in range(count)]
        return {"name": "files", "datatype": "BYTES", "shape": [-1], "data": data}
    pixels = [chance.choice([0, 255, chance.randrange(300)]) for _ in range(784 * count)]
    return {"name": "images", "datatype": "UINT8", "shape": [count, 28, 28], "data": pixels}


def output(chance: random.Random) -> dict[str, Any]:
    name = chance.choice(["probabilities", "digit", "confidence", "accepted", "reason", "x"])
    parameters = {"binary_data": chance.random() < 0.5, "classification": chance.randrange(1, 12)}
    return {"name": name, "parameters": {key: parameters[key] for key in parameters if chance.random() < 0.4}}
