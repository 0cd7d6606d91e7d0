"""/v2 of a real server: what it says of its models, what it reads as /classify does, and what it refuses."""

from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from service.fleet.metrics import label_of
from service.picture.prepare import Wanted, prepare
from service.web.open_inference import routes
from service.web.open_inference.wire import InferResponse
from tests.harness import ROOT, Digits, metric, png, serving

INFER = "/v2/models/googlenet/infer"


def files(*contents: bytes, **more: Any) -> dict[str, Any]:
    data = [b64encode(content).decode() for content in contents]
    return {"inputs": [{"name": "files", "datatype": "BYTES", "shape": [len(data)], "data": data}], **more}


def images(pixels: NDArray[np.uint8], **more: Any) -> dict[str, Any]:
    given = {"name": "images", "datatype": "UINT8", "shape": list(pixels.shape), "data": pixels.tolist()}
    return {"inputs": [given], **more}


def outputs(response: httpx.Response) -> dict[str, list[Any]]:
    assert response.status_code == 200, response.text
    InferResponse.model_validate_json(response.content)
    return {output["name"]: output["data"] for output in response.json()["outputs"]}


def assert_refused(response: httpx.Response, status: int, said: str) -> None:
    """By a problem that the protocol's clients understand too."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert set(problem) == {"type", "title", "status", "detail", "request_id", "error"}
    assert problem["error"] == problem["detail"]
    assert said in problem["detail"]


@pytest.mark.parametrize("version", ["", "/versions/1"])
def test_a_model_says_what_it_takes_and_gives(client: httpx.Client, version: str) -> None:
    model = client.get(f"/v2/models/googlenet{version}").json()
    assert {each["name"]: (each["datatype"], each["shape"]) for each in model["inputs"]} == {
        "images": ("UINT8", [-1, 28, 28]),
        "files": ("BYTES", [-1]),
    }
    assert [each["name"] for each in model["outputs"]] == ["probabilities", "digit", "confidence", "accepted", "reason"]
    assert model["parameters"]["labels"] == list("0123456789")
    assert client.get(f"/v2/models/googlenet{version}/ready").json() == {"name": "googlenet", "ready": True}


def test_the_server_is_live_and_ready_and_lists_its_models(client: httpx.Client) -> None:
    assert client.get("/v2").json()["name"] == "numeral"
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"ready": True}
    index = client.post("/v2/repository/index", json={"ready": True}).json()
    assert [entry["name"] for entry in index] == sorted(client.get("/models").json())
    assert {entry["state"] for entry in index} == {"READY"}


@pytest.mark.parametrize("model", ["googlenet", "alexnet"])
def test_files_are_answered_as_by_classify(client: httpx.Client, digits: Digits, model: str) -> None:
    contents = [
        (ROOT / "digit.png").read_bytes(),
        png(np.full((50, 50), 200, np.uint8)),
        *map(png, digits.images[::500]),
    ]
    given = outputs(client.post(f"/v2/models/{model}/infer", json=files(*contents)))
    for number, content in enumerate(contents):
        answer = client.post("/classify", params={"model": model}, content=content).json()
        row = given["probabilities"][10 * number : 10 * number + 10]
        assert row == (list(answer["probabilities"].values()) if answer["probabilities"] else [0] * 10)
        assert given["digit"][number] == (-1 if answer["digit"] is None else answer["digit"])
        assert given["confidence"][number] == answer["confidence"]
        assert given["accepted"][number] == answer["accepted"]
        assert given["reason"][number] == (answer["reason"] or "")
    assert given["reason"][1].startswith("blank")


def test_canonical_images_go_to_the_network_as_they_are(client: httpx.Client, digits: Digits) -> None:
    """What a picture is made into is answered as the picture."""
    content = png(digits.pick(6))
    canonical = prepare(content, Wanted(reads_digits=True, shape=(28, 28), max_pixels=1000)).pixels
    assert canonical is not None
    assert len(canonical) == 1
    answer = client.post("/classify", content=content).json()
    given = outputs(client.post(INFER, json=images(canonical)))
    assert given["probabilities"] == list(answer["probabilities"].values())


def test_as_many_images_as_a_request_may_hold_are_read(client: httpx.Client, digits: Digits) -> None:
    many = digits.images[: 257 * 19 : 19]
    given = outputs(client.post(INFER, json=images(many[:256], outputs=[{"name": "digit"}])))
    assert list(given) == ["digit"]
    assert np.mean(np.array(given["digit"]) == digits.labels[: 256 * 19 : 19]) > 0.98
    assert_refused(client.post(INFER, json=images(many)), 413, "holds 257 images; the limit is 256")
    assert_refused(client.post(INFER, json=files(*[b"x"] * 257)), 413, "holds 257 images; the limit is 256")


def test_an_id_comes_back_and_classes_are_named(client: httpx.Client, digits: Digits) -> None:
    asked = [{"name": "probabilities", "parameters": {"classification": 2}}]
    response = client.post(INFER, json=images(digits.pick(7)[np.newaxis], id="seven", outputs=asked))
    assert response.json()["id"] == "seven"
    (output,) = response.json()["outputs"]
    assert (output["datatype"], output["shape"]) == ("BYTES", [1, 2])
    assert output["data"][0].endswith(":7:7")
    assert "inference;dur=" in response.headers["server-timing"]


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({}, 400, "inputs is no inference request: field required"),
        ([], 400, "input should be an object"),
        ({"inputs": []}, 400, "at least 1 item"),
        ({"inputs": [files(b"x")["inputs"][0]] * 2}, 400, "the request has 2 inputs, 'files', 'files'; allowed: one"),
        (files(b"x", outputs=[{"name": "logits"}]), 400, "output 'logits' is unknown; allowed: probabilities, digit"),
        (
            files(b"x", outputs=[{"name": "digit", "parameters": {"classification": 3}}]),
            400,
            "'classification'; it is allowed of 'probabilities'",
        ),
        (files(b"text", b"x"), 415, "element 0 of input 'files': the file is plain text"),
        (files((ROOT / "digit.png").read_bytes(), b""), 400, "element 1 of input 'files'"),
        (files((ROOT / "digit.png").read_bytes()[:9000]), 422, "element 0 of input 'files'"),
        (files(b"x", id=3), 400, "id is 3: input should be a valid string"),
        ({"inputs": [{**files(b"x")["inputs"][0], "datatype": "INT8"}]}, 400, "datatype 'INT8'; allowed: UINT8 [N, 28"),
    ],
)
def test_what_cannot_be_understood_is_refused(client: httpx.Client, body: object, status: int, said: str) -> None:
    assert_refused(client.post(INFER, json=body), status, said)


def test_numbers_from_0_to_1_are_not_taken_for_grey_levels(client: httpx.Client, digits: Digits) -> None:
    scaled = (digits.pick(3)[np.newaxis] / 255).tolist()
    given = {"name": "images", "datatype": "FP32", "shape": [1, 28, 28], "data": scaled}
    response = client.post(INFER, json={"inputs": [given]})
    assert_refused(response, 400, "datatype 'FP32'; allowed: UINT8 [N, 28, 28], grey levels 0 to 255, light on dark")
    response = client.post(INFER, json={"inputs": [{**given, "datatype": "UINT8"}]})
    assert_refused(response, 400, "allowed: whole numbers, the grey levels 0 to 255")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/v2/models/lenet", "model 'lenet' is unknown; allowed: alexnet, googlenet"),
        ("/v2/models/googlenet/versions/2/ready", "version '2' of model 'googlenet' is unknown; allowed: 1"),
        ("/v2/made-up", "there is nothing at '/v2/made-up'; there is: /,"),
    ],
)
def test_an_unknown_address_is_404(client: httpx.Client, path: str, said: str) -> None:
    assert_refused(client.get(path), 404, said)


def test_a_compressed_body_is_415_and_another_method_405(client: httpx.Client) -> None:
    response = client.post(INFER, content=b"x", headers={"Content-Encoding": "gzip"})
    assert_refused(response, 415, "encoded as 'gzip'; allowed: identity")
    assert response.headers["accept-encoding"] == "identity"
    assert_refused(client.put(INFER), 405, "PUT is not allowed")


@pytest.mark.parametrize(
    ("header", "body", "said"),
    [
        ("x", b"{}", "is 'x'; allowed: 1 to 2"),
        ("0", b"{}", "is '0'; allowed"),
        ("3", b"{}", "is '3'; allowed"),
        ("9" * 5000, b"{}", "is '999"),
    ],
)
def test_a_length_that_is_none_is_refused(client: httpx.Client, header: str, body: bytes, said: str) -> None:
    response = client.post(INFER, content=body, headers={"Inference-Header-Content-Length": header})
    assert_refused(response, 400, said)


def test_bytes_behind_the_json_must_be_those_that_are_announced(client: httpx.Client) -> None:
    head = b'{"inputs":[{"name":"a","datatype":"BYTES","shape":[1],"parameters":{"binary_data_size":9}}]}'
    response = client.post(INFER, content=head + b"1234", headers={"Inference-Header-Content-Length": str(len(head))})
    assert_refused(response, 400, "has binary_data_size 9, and 4 bytes come behind the JSON")


@pytest.mark.parametrize(
    ("data", "status", "said"),
    [
        ("[]," * 1_600_000 + "[]", 413, "values; the limit is"),
        ('{"":0},' * 1000 + "0", 413, "1,002 objects; the limit is 1,000"),
        ("[" * 4_000_000, 413, "values; the limit is"),
        ("[" * 100_000, 413, "lists; the limit is 8,424"),
        ("[]," * 9_000 + "[]", 413, " lists; the limit is 8,424"),
        ("[" * 5_000, 400, "invalid json"),
        ("9" * 4_000_000, 400, "invalid json"),
        ("9" * 4_000, 400, "has 1 elements"),
        ('"' + "a" * 4_000_000 + '"' + ",1" * (784 * 200 - 1), 400, "holds 'aaa"),
    ],
    ids=[
        "values",
        "objects",
        "depth",
        "less depth",
        "lists",
        "some depth",
        "long number",
        "shorter number",
        "text among numbers",
    ],
)
def test_json_that_costs_more_than_it_weighs_is_refused(
    client: httpx.Client, data: str, status: int, said: str
) -> None:
    body = '{"inputs":[{"name":"a","datatype":"UINT8","shape":[-1,28,28],"data":[' + data + "]}]}"
    assert_refused(client.post(INFER, content=body), status, said)


def test_limits_of_the_service_hold_here_too(tmp_path: Path, digits: Digits) -> None:
    log = tmp_path / "log"
    with (
        serving(log, queue_size="4", max_files="4", max_body_bytes="100000", workers="1") as url,
        httpx.Client(base_url=url, timeout=30) as client,
    ):
        assert_refused(client.post(INFER, content=b" " * 100_001), 413, "100,001 bytes; the limit is 100,000")

        def ask(_: int) -> httpx.Response:
            return client.post("/v2/models/alexnet/infer", json=images(digits.images[:4]))

        with ThreadPoolExecutor(24) as clients:
            responses = list(clients.map(ask, range(200)))
        assert {response.status_code for response in responses} == {200, 429}
        refused = next(response for response in responses if response.status_code == 429)
        assert_refused(refused, 429, "images are in work and 4 more would pass the limit of 4")
        assert ask(0).status_code == 200
        assert client.get("/stats").json()["images_in_work"] == 0


def test_what_is_late_is_504(tmp_path: Path, digits: Digits) -> None:
    with serving(tmp_path / "log", deadline_ms="1") as url:
        response = httpx.post(url + INFER, json=files(*map(png, digits.images[:200])), timeout=30)
        assert_refused(response, 504, "deadline of 1 ms")


def test_models_and_versions_of_paths_make_no_series(client: httpx.Client, digits: Digits) -> None:
    counted = 'numeral_requests_total{path="/v2/models/{model}/infer",status="404"}'
    read = 'numeral_images_total{model="googlenet",outcome="accepted"}'
    before = client.get("/metrics").text
    for number in range(20):
        client.post(f"/v2/models/made-up-{number}/infer", json={})
    client.post("/v2/models/googlenet/versions/1/infer", json=images(digits.pick(1)[np.newaxis]))
    after = client.get("/metrics").text
    assert metric(after, counted) - metric(before, counted) == 20
    assert metric(after, read) - metric(before, read) == 1
    assert "made-up" not in after


def test_every_route_has_a_label_of_its_own() -> None:
    paths = {route.path for route in routes.routes()}
    labels = {label_of(path.replace("{model}", "a").replace("{version}", "1")) for path in paths}
    assert labels == {path for path in paths if "version" not in path}
