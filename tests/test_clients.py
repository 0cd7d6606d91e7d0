"""The clients that people have, asking a real server: what they are answered is what their own types make of it."""

import json
import os
import subprocess
import sys
from base64 import b64encode
from pathlib import Path
from shutil import which
from typing import Any

import httpx
import numpy as np
import pytest
import requests
from tritonclient import http as triton
from tritonclient.utils import InferenceServerException

from tests.harness import ROOT, Digits, png

PHOTO = ROOT / "digit.png"

# Where KServe's client is installed: `make client-test` says so.
KSERVE_PYTHON = os.environ.get("KSERVE_PYTHON")


@pytest.fixture
def client(server: str) -> triton.InferenceServerClient:
    with triton.InferenceServerClient(server.removeprefix("http://")) as connected:
        yield connected


def tensor(pixels: np.ndarray, binary: bool) -> triton.InferInput:
    given = triton.InferInput("images", list(pixels.shape), "UINT8")
    given.set_data_from_numpy(pixels, binary_data=binary)
    return given


def test_triton_finds_the_models(client: triton.InferenceServerClient) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert [entry["name"] for entry in client.get_model_repository_index()] == ["alexnet", "googlenet"]
    assert client.is_model_ready("googlenet")
    assert client.is_model_ready("googlenet", "1")
    assert not client.is_model_ready("googlenet", "2")
    assert not client.is_model_ready("lenet")
    assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
    metadata, config = client.get_model_metadata("googlenet"), client.get_model_config("googlenet")
    for given, configured in zip(metadata["inputs"], config["input"], strict=True):
        assert given["name"] == configured["name"]
    assert config["max_batch_size"] == 256


@pytest.mark.parametrize("sent_binary", [True, False])
@pytest.mark.parametrize("answered_binary", [True, False])
def test_triton_reads_tensors(
    client: triton.InferenceServerClient, digits: Digits, sent_binary: bool, answered_binary: bool
) -> None:
    names = [each["name"] for each in client.get_model_metadata("googlenet")["outputs"]]
    wanted = [triton.InferRequestedOutput(name, binary_data=answered_binary) for name in names]
    pixels = np.ascontiguousarray(digits.images[::500])
    result = client.infer("googlenet", [tensor(pixels, sent_binary)], outputs=wanted, request_id="a")
    assert result.get_response()["id"] == "a"
    assert result.as_numpy("digit").tolist() == digits.labels[::500].tolist()
    assert result.as_numpy("probabilities").argmax(axis=1).tolist() == digits.labels[::500].tolist()
    assert result.as_numpy("probabilities").dtype == result.as_numpy("confidence").dtype == np.float32
    assert result.as_numpy("accepted").tolist() == [True] * len(pixels)
    assert set(result.as_numpy("reason")) <= {b"", ""}


def test_triton_reads_files_and_names_classes(client: triton.InferenceServerClient, digits: Digits) -> None:
    contents = [PHOTO.read_bytes(), png(digits.pick(7))]
    given = triton.InferInput("files", [2], "BYTES")
    given.set_data_from_numpy(np.array(contents, dtype=np.object_))
    assert client.infer("alexnet", [given]).as_numpy("digit").tolist() == [2, 7]
    wanted = triton.InferRequestedOutput("probabilities", class_count=3)
    classes = client.infer("googlenet", [given], outputs=[wanted]).as_numpy("probabilities")
    assert classes.shape == (2, 3)
    assert [text.decode().split(":")[2] for text in classes[:, 0]] == ["2", "7"]


def test_triton_is_told_what_is_wrong(client: triton.InferenceServerClient) -> None:
    given = triton.InferInput("images", [1, 28, 28], "FP32")
    given.set_data_from_numpy(np.zeros((1, 28, 28), np.float32))
    with pytest.raises(InferenceServerException, match=r"\[400\] input 'images' has datatype 'FP32'; allowed: UINT8"):
        client.infer("googlenet", [given])
    with pytest.raises(InferenceServerException, match=r"\[415\] the body is encoded as 'gzip'; allowed: identity"):
        client.infer("googlenet", [given], request_compression_algorithm="gzip")
    with pytest.raises(
        InferenceServerException, match=r"\[404\] model 'lenet' is unknown; allowed: alexnet, googlenet"
    ):
        client.get_model_metadata("lenet")


def torchserve_request(content: bytes) -> dict[str, Any]:
    """As TorchServe's mnist_v2_bytes.json has it: a name made up, a shape of -1, a PNG in base64."""
    name = "312a4eb0-0ca7-4803-a101-a6d2c18486fe"
    given = {"data": [b64encode(content).decode()], "datatype": "BYTES", "name": name, "shape": [-1]}
    return {"id": "d3b15cad-50a2-4eaf-80ce-8b0a428bd298", "inputs": [given]}


def digit_of(answer: dict[str, Any]) -> int:
    (digit,) = (output["data"][0] for output in answer["outputs"] if output["name"] == "digit")
    assert isinstance(digit, int)
    return digit


def test_torchserves_request_is_read(server: str, digits: Digits) -> None:
    answer = requests.post(
        f"{server}/v2/models/googlenet/infer", json=torchserve_request(png(digits.pick(3))), timeout=30
    ).json()
    assert answer["id"] == "d3b15cad-50a2-4eaf-80ce-8b0a428bd298"
    assert digit_of(answer) == 3


def test_requests_uploads_files(server: str) -> None:
    with PHOTO.open("rb") as form, PHOTO.open("rb") as raw:
        for answer in (
            requests.post(f"{server}/classify", files={"image": form}, timeout=30),
            requests.post(f"{server}/classify", data=raw, timeout=30),
        ):
            assert answer.json()["digit"] == 2


def test_httpx_uploads_files(server: str) -> None:
    """The second in chunks, as a file is sent whose length it does not look up."""
    with PHOTO.open("rb") as form, PHOTO.open("rb") as raw:
        for answer in (
            httpx.post(f"{server}/classify", files={"image": form}, timeout=30),
            httpx.post(f"{server}/classify", content=iter(raw), timeout=30),
        ):
            assert answer.json()["digit"] == 2


@pytest.mark.skipif(which("curl") is None, reason="no curl on the PATH")
def test_curl_asks_in_each_way(server: str, tmp_path: Path) -> None:
    asked = tmp_path / "request.json"
    asked.write_text(json.dumps(torchserve_request(PHOTO.read_bytes())))

    def curl(*arguments: str) -> dict[str, Any]:
        result = subprocess.run(["curl", "-sS", *arguments], capture_output=True, check=True)
        answer: dict[str, Any] = json.loads(result.stdout)
        return answer

    assert curl("-F", f"image=@{PHOTO}", f"{server}/classify")["digit"] == 2
    assert curl("--data-binary", f"@{PHOTO}", f"{server}/classify")["digit"] == 2
    # Larger than a megabyte it would ask with Expect: 100-continue.
    assert digit_of(curl("-d", f"@{asked}", f"{server}/v2/models/googlenet/infer")) == 2
    assert curl("-H", "Expect: 100-continue", "-F", f"image=@{PHOTO}", f"{server}/classify")["digit"] == 2


@pytest.mark.skipif(not KSERVE_PYTHON, reason="no environment with KServe's client: `make client-test` makes one")
def test_kserve_reads_files_and_tensors(server: str) -> None:
    command = [str(KSERVE_PYTHON), str(ROOT / "tests" / "kserve_client.py"), server, str(PHOTO)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert "400 Bad Request" in found.pop("refused")
    assert found == {
        "live": True,
        "ready": True,
        "model_ready": True,
        "unknown_ready": False,
        "file": 2,
        "binary_file": 2,
        "tensor": 1,
        "binary_tensor": 1,
    }


GENERATED = """
import json, sys
from io import BytesIO
from pathlib import Path
from numeral_client import Client
from numeral_client.api.read import classify
from numeral_client.api.v2 import v2_model_infer, v2_model_metadata
from numeral_client.models import ClassifyFilesBody, ClassifyModel, InferRequest
from numeral_client.models import V2ModelInferModel, V2ModelMetadataModel
from numeral_client.types import File

client = Client(base_url=sys.argv[1], timeout=30, raise_on_unexpected_status=True)
content = Path(sys.argv[2]).read_bytes()
files = [File(payload=BytesIO(content), file_name=name) for name in ("a.png", "b.png")]
with client:
    one = classify.sync(client=client, body=ClassifyFilesBody(image=files[:1]), model=ClassifyModel.ALEXNET)
    two = classify.sync(client=client, body=ClassifyFilesBody(image=[*files[1:], File(BytesIO(b"x"), "c.png")]))
    raw = classify.sync(client=client, body=File(payload=BytesIO(content)))
    bad = classify.sync(client=client, body=File(payload=BytesIO(b"text")))
    print(one.digit, one.model["name"], two[0].digit, two[1].status, raw.digit, bad.status)
    asked = InferRequest.from_dict(json.loads(sys.argv[3]))
    given = v2_model_infer.sync(V2ModelInferModel.GOOGLENET, client=client, body=asked)
    print({output.name: output.data for output in given.outputs}["digit"])
    print(v2_model_metadata.sync(V2ModelMetadataModel.GOOGLENET, client=client).name)
"""


def test_a_client_made_of_the_document_reads_a_digit(server: str, tmp_path: Path) -> None:
    pytest.importorskip("openapi_python_client")
    tools = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    made = subprocess.run(
        [
            sys.executable,
            "-m",
            "openapi_python_client",
            "generate",
            "--url",
            f"{server}/docs.json",
            "--fail-on-warning",
        ],
        cwd=tmp_path,
        env={**os.environ, "PATH": tools},
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    asked = json.dumps(torchserve_request(PHOTO.read_bytes()))
    result = subprocess.run(
        [sys.executable, "-c", GENERATED, server, PHOTO, asked],
        cwd=tmp_path / "numeral-client",
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stdout.split("\n")[:3] == ["2 alexnet 2 415 2 415", "[2]", "googlenet"], result.stderr
