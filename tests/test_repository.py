"""A model is loaded anew at a request with a key, and models lie side by side in several versions."""

import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
from tritonclient import http as triton

from tests.artefacts import FILE, change_metadata, renew, ship
from tests.harness import Digits, address, assert_problem, metric, png, serving, wait_until
from tests.test_open_inference import assert_refused
from tests.test_start import failed_start

KEY = {"x-api-key": "correct-horse-battery"}

LOAD = "/v2/repository/models/alexnet/load"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """AlexNet, and a second version of it that accepts nearly all."""
    folder = ship(tmp_path_factory.mktemp("repository") / "models", "alexnet")
    shutil.copytree(folder / "alexnet", folder / "alexnet@2026-07.b")
    change_metadata(folder / "alexnet@2026-07.b", reject_threshold=0.125)
    return folder


@pytest.fixture(scope="module")
def client(models: Path) -> Iterator[httpx.Client]:
    """Of a server with keys."""
    (models.parent / "keys").write_text(KEY["x-api-key"])
    with (
        serving(
            models.parent / "log",
            workers="2",
            precision="fp32",
            models_dir=str(models),
            default_model="alexnet",
            api_key_file=str(models.parent / "keys"),
            # How long a reload may take, on a machine that has much else to do.
            deadline_ms="120000",
        ) as url,
        httpx.Client(base_url=url, timeout=180, headers=KEY) as http,
    ):
        yield http


def test_a_new_artefact_is_served_by_all_once_the_request_is_answered(
    client: httpx.Client, models: Path, digits: Digits
) -> None:
    sha256, threshold = renew(models / "alexnet", 1)
    assert client.post(LOAD).json() == {"name": "alexnet", "sha256": sha256, "changed": True}
    for _ in range(6):
        with httpx.Client(base_url=client.base_url, headers=KEY, timeout=60) as other:
            receipt = other.post("/classify", content=png(digits.pick(3))).json()["receipt"]
            assert (receipt["model"], receipt["threshold"]) == (sha256, threshold)
            assert other.get("/models").json()["alexnet"]["sha256"] == sha256
    assert client.post(LOAD, json={}).json() == {"name": "alexnet", "sha256": sha256, "changed": False}
    assert f"numeral: reloaded: alexnet {sha256[:12]}" in (models.parent / "log").read_text()


def test_what_is_bad_is_refused_and_the_old_one_serves_on(client: httpx.Client, models: Path, digits: Digits) -> None:
    before = client.get("/models").json()
    content = (models / "alexnet" / FILE).read_bytes()
    (models / "alexnet" / FILE).write_bytes(content[:-1])
    assert_refused(client.post(LOAD), 422, f"{models / 'alexnet' / FILE} has sha256")
    assert client.get("/models").json() == before
    assert client.post("/classify", content=png(digits.pick(3))).json()["digit"] == 3
    # The other is none of what was asked for.
    assert client.post("/v2/repository/models/alexnet@2026-07.b/load").json()["changed"] is False
    (models / "alexnet" / FILE).write_bytes(content)


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("lenet/load", b"", 404, "model 'lenet' is unknown; allowed: alexnet, alexnet@2026-07.b"),
        ("alexnet/load", b'{"parameters": {"config": "{}"}}', 400, "the body has parameters; allowed: none"),
        ("alexnet/load", b"[]", 400, "the body has parameters"),
        ("alexnet/load", b"{", 400, "the JSON cannot be understood"),
        ("alexnet/load", b" " * 1001, 413, "the body has 1,001 bytes; allowed: none"),
        ("alexnet/unload", b"", 403, "models are not unloaded while a server runs"),
    ],
)
def test_what_cannot_be_done_is_refused(client: httpx.Client, path: str, body: bytes, status: int, said: str) -> None:
    assert_refused(client.post(f"/v2/repository/models/{path}", content=body), status, said)


def test_one_is_loaded_at_a_time(client: httpx.Client, models: Path) -> None:
    renew(models / "alexnet", 2)
    with ThreadPoolExecutor(6) as askers:
        asked = [askers.submit(client.post, LOAD) for _ in range(6)]
        answers = [each.result() for each in asked]
    assert {answer.status_code for answer in answers} == {200, 429}
    assert sum(answer.status_code == 200 and answer.json()["changed"] for answer in answers) == 1
    busy = next(answer for answer in answers if answer.status_code == 429)
    assert_refused(busy, 429, "another request has a model loaded")
    assert busy.headers["retry-after"] == "1"


def test_tritons_client_loads_a_model(client: httpx.Client, models: Path) -> None:
    sha256, _ = renew(models / "alexnet", 3)
    host, port = address(str(client.base_url).rstrip("/"))
    with triton.InferenceServerClient(f"{host}:{port}", network_timeout=180) as other:
        other.load_model("alexnet", headers=KEY)
        assert other.get_model_metadata("alexnet")["parameters"]["sha256"] == sha256
        with pytest.raises(triton.InferenceServerException, match="models are not unloaded"):
            other.unload_model("alexnet", headers=KEY)


def test_without_a_key_nothing_is_loaded(client: httpx.Client) -> None:
    assert httpx.post(client.base_url.join(LOAD)).status_code == 401


def test_where_no_keys_are_asked_for_nobody_loads(server: str) -> None:
    answer = httpx.post(f"{server}/v2/repository/models/googlenet/load")
    assert_refused(answer, 403, "only where NUMERAL_API_KEY_FILE says who may ask; SIGHUP")


def test_what_takes_longer_than_a_request_may_goes_on(tmp_path: Path) -> None:
    """A process does not begin in a tenth of a second."""
    models, keys, log = ship(tmp_path / "models", "alexnet"), tmp_path / "keys", tmp_path / "log"
    keys.write_text(KEY["x-api-key"])
    with serving(
        log,
        workers="1",
        precision="fp32",
        models_dir=str(models),
        default_model="alexnet",
        api_key_file=str(keys),
        read_timeout_ms="50",
        deadline_ms="50",
    ) as url:
        sha256, _ = renew(models / "alexnet", 1)
        assert_refused(httpx.post(f"{url}{LOAD}", headers=KEY), 504, "it was not done within 0.1 s, and goes on")
        wait_until(lambda: f"numeral: reloaded: alexnet {sha256[:12]}" in log.read_text(), seconds=300)
        assert httpx.get(f"{url}/models").json()["alexnet"]["sha256"] == sha256


def test_versions_are_asked_for_by_their_whole_name(client: httpx.Client, digits: Digits) -> None:
    doubtful = png(np.random.default_rng(0).integers(0, 256, (28, 28), np.uint8) // 2 + digits.pick(3) // 2)
    assert {name: model["default"] for name, model in client.get("/models").json().items()} == {
        "alexnet": True,
        "alexnet@2026-07.b": False,
    }
    for asked, name in ({}, "alexnet"), ({"model": "alexnet@2026-07.b"}, "alexnet@2026-07.b"):
        answer = client.post("/classify", params=asked, content=doubtful).json()
        assert answer["model"]["name"] == name
        assert client.get(f"/v2/models/{name}").json()["name"] == name
    assert answer["receipt"]["threshold"] == 0.125
    assert_problem(client.post("/classify?model=alexnet@3", content=doubtful), 400, "'alexnet@3' is unknown")


def test_loads_are_counted(client: httpx.Client) -> None:
    counted = 'numeral_reloads_total{result="unchanged"}'
    before = metric(client.get("/metrics").text, counted)
    client.post(LOAD)
    time.sleep(0.2)  # the text is made ten times a second at most
    after = client.get("/metrics").text
    assert metric(after, counted) == before + 1
    assert metric(after, 'numeral_requests_total{path="/v2/repository/models/{model}/load",status="200"}') >= 1
    generations = [line for line in after.splitlines() if line.startswith("numeral_models_generation{")]
    assert len({line.rsplit(" ", 1)[1] for line in generations}) == 1


@pytest.mark.parametrize("name", ["alexnet@", f"alexnet@{33 * 'x'}", "alexnet@a b"])
def test_a_version_that_cannot_be_asked_for_stops_the_start(tmp_path: Path, name: str) -> None:
    folder = ship(tmp_path / "models", "alexnet")
    (folder / "alexnet").rename(folder / name)
    said = failed_start(tmp_path / "log", models_dir=str(folder), default_model=name)
    assert "for a version; allowed: 1 to 32 of" in said
