"""KServe's own client, asking a server for digits: `python tests/kserve_client.py URL PHOTO`, where it is installed.

It asks for an older python-dateutil than bentoml, so it is not where the tests run.
"""

import asyncio
import base64
import json
import sys
from pathlib import Path

import httpx
import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig


async def ask(url: str, content: bytes) -> dict[str, object]:
    client = InferenceRESTClient(RESTConfig(protocol="v2", timeout=30))
    try:
        return {
            "live": await client.is_server_live(url),
            "ready": await client.is_server_ready(url),
            "model_ready": await client.is_model_ready(url, "googlenet"),
            "unknown_ready": await client.is_model_ready(url, "lenet"),
            "file": await digit(client, url, file(content)),
            "binary_file": await digit(client, url, binary_file(content)),
            "tensor": await digit(client, url, tensor(binary=False)),
            "binary_tensor": await digit(client, url, tensor(binary=True)),
            "refused": await refused(client, url),
        }
    finally:
        await client.close()


async def digit(client: InferenceRESTClient, url: str, given: InferInput) -> int:
    answer = await client.infer(url, InferRequest("googlenet", [given]), model_name="googlenet")
    (found,) = (output.as_numpy()[0] for output in answer.outputs if output.name == "digit")
    return int(found)


async def refused(client: InferenceRESTClient, url: str) -> str:
    given = InferInput("images", [1, 28, 28], "FP32")
    given.set_data_from_numpy(np.zeros((1, 28, 28), np.float32), binary_data=False)
    try:
        await client.infer(url, InferRequest("googlenet", [given]), model_name="googlenet")
    except httpx.HTTPStatusError as error:
        return str(error)
    return ""


def file(content: bytes) -> InferInput:
    return InferInput("files", [1], "BYTES", data=[base64.b64encode(content).decode()])


def binary_file(content: bytes) -> InferInput:
    given = InferInput("files", [1], "BYTES")
    given.set_data_from_numpy(np.array([content], dtype=np.object_), binary_data=True)
    return given


def tensor(binary: bool) -> InferInput:
    """A stroke from top to bottom."""
    pixels = np.zeros((1, 28, 28), np.uint8)
    pixels[0, 4:24, 13:16] = 255
    given = InferInput("images", [1, 28, 28], "UINT8")
    given.set_data_from_numpy(pixels, binary_data=binary)
    return given


if __name__ == "__main__":
    url, photo = sys.argv[1:]
    print(json.dumps(asyncio.run(ask(url, Path(photo).read_bytes()))))
