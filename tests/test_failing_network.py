"""A network that fails at some images fails those who sent them, with a 500 and a line in the log, and nobody else."""

import hashlib
import json
import os
from pathlib import Path

import httpx
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.harness import ROOT, Digits, assert_problem, png, serving
from tests.test_access_log import unread

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
NAMED = {"x-request-id": "mine-1", "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """Of a network that looks up a table by the brightest pixel of a batch. The table ends at 200."""
    nodes = [
        helper.make_node("Cast", ["images"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMax", ["floats"], ["brightest"], keepdims=0),
        helper.make_node("Cast", ["brightest"], ["place"], to=TensorProto.INT64),
        helper.make_node("Gather", ["table", "place"], ["row"]),
        helper.make_node("ReduceMean", ["floats", "axes"], ["means"], keepdims=1),
        helper.make_node("Flatten", ["means"], ["column"]),
        helper.make_node("Mul", ["column", "nought"], ["noughts"]),
        helper.make_node("Add", ["noughts", "row"], ["probabilities"]),
    ]
    constants: dict[str, np.ndarray] = {
        "table": np.full((201, 10), 0.1, np.float32),
        "axes": np.array([1, 2], np.int64),
        "nought": np.zeros(1, np.float32),
    }
    graph = helper.make_graph(
        nodes,
        "fails",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", 28, 28])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", 10])],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9).SerializeToString()
    folder = tmp_path / "models/failing"
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(model)
    metadata = json.loads((ROOT / "exported/googlenet/metadata.json").read_text())
    files = {"model.onnx": {"sha256": hashlib.sha256(model).hexdigest()}}
    (folder / "metadata.json").write_text(json.dumps({**metadata, "files": files, "reject_threshold": 0.0}))
    return folder.parent


def canonical(digits: Digits, brightest: int) -> bytes:
    """A digit in the form that the normaliser passes on as it is."""
    image = digits.pick(3)
    return png((image.astype(np.float32) * brightest / image.max()).astype(np.uint8))


def test_who_sent_it_gets_a_500_and_others_their_answers(tmp_path: Path, models: Path, digits: Digits) -> None:
    log = tmp_path / "log"
    onnx.checker.check_model(models / "failing/model.onnx")
    with serving(log, models_dir=str(models), default_model="failing", workers="1") as url:
        good, bad = canonical(digits, brightest=190), canonical(digits, brightest=255)
        for _ in range(3):
            assert httpx.post(f"{url}/classify", content=good).json()["confidence"] == 0.1
            assert_problem(httpx.post(f"{url}/classify", content=bad), 500, "its log says more")
        files = [("f", ("a", bad)), ("f", ("b", bad))]
        assert_problem(httpx.post(f"{url}/classify", files=files, headers=NAMED), 500, "its log")
        assert httpx.get(f"{url}/livez").status_code == 200
        assert httpx.get(f"{url}/stats").json()["images_in_work"] == 0
        assert 'numeral_requests_total{path="/classify",status="500"} 4.0' in httpx.get(f"{url}/metrics").text
    assert "a batch failed" in log.read_text()
    assert f"request mine-1 of trace {TRACE} failed with its batch" in log.read_text()


def test_an_error_is_answered_where_nobody_reads_the_log(tmp_path: Path, models: Path, digits: Digits) -> None:
    """Its lines go to the same standard output as those of the access log, which has filled the pipe."""
    good, bad = canonical(digits, brightest=190), canonical(digits, brightest=255)
    settings = {"models_dir": str(models), "default_model": "failing", "workers": "1"}
    with unread(tmp_path / "log", **settings) as (url, output), httpx.Client(base_url=url) as client:
        for _ in range(300):
            client.post("/classify", content=good, headers={"x-request-id": "x" * 128})
        for _ in range(20):  # a pipe that the log cannot be written to may have room for one more
            assert client.post("/classify", content=bad).status_code == 500
        assert client.post("/classify", content=good).status_code == 200
    os.close(output)
