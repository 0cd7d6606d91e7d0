"""A real server with keys, and with a limit for each client: told by the head, before a byte of the body."""

import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.harness import Digits, address, assert_problem, metric, png, post_head, read_answers, running, serving
from tests.test_start import failed_start

KEY, OTHER = "correct-horse-battery", "staple-0123456789"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The server, and its log, with two workers."""
    folder = tmp_path_factory.mktemp("keys")
    (folder / "keys").write_text(f"{KEY}\n{OTHER}\n")
    log = folder / "log"
    with serving(log, workers="2", api_key_file=str(folder / "keys"), access_log="json") as url:
        yield url, log


@pytest.mark.parametrize(
    "sent", [{"authorization": f"Bearer {KEY}"}, {"x-api-key": KEY}, {"x-api-key": OTHER}], ids=["bearer", "x", "other"]
)
def test_whoever_has_a_key_is_answered(guarded: tuple[str, Path], digits: Digits, sent: dict[str, str]) -> None:
    for _ in range(4):  # a connection each, so that both workers are asked
        assert httpx.post(f"{guarded[0]}/classify", content=png(digits.pick(2)), headers=sent).json()["digit"] == 2


def test_whoever_has_none_is_told_how_to_send_one(guarded: tuple[str, Path], digits: Digits) -> None:
    answer = httpx.post(f"{guarded[0]}/classify", content=png(digits.pick(2)))
    assert_problem(answer, 401, "this needs a key; send 'Authorization: Bearer KEY'")
    assert answer.headers["www-authenticate"] == 'Bearer realm="numeral"'


def test_a_wrong_one_is_told_so_and_repeated_nowhere(guarded: tuple[str, Path], digits: Digits) -> None:
    url, log = guarded
    answer = httpx.post(f"{url}/classify", content=png(digits.pick(2)), headers={"x-api-key": "wrong-wrong-wrong"})
    assert_problem(answer, 401, "none of this service's")
    assert answer.headers["www-authenticate"] == 'Bearer realm="numeral", error="invalid_token"'
    assert "wrong-wrong" not in answer.text
    for path in ("/docs.json", "/metrics", "/models", "/stats"):
        assert KEY not in httpx.get(f"{url}{path}").text
    for secret in (KEY, OTHER, "wrong-wrong"):
        assert secret not in log.read_text()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["/classify", "/v2/models/googlenet/infer", "/nowhere", "/metrics"])
def test_whatever_is_sent_needs_one(guarded: tuple[str, Path], method: str, path: str) -> None:
    assert httpx.request(method, f"{guarded[0]}{path}", content=b"x").status_code == 401


@pytest.mark.parametrize("path", ["/", "/livez", "/readyz", "/healthz", "/metrics", "/models", "/stats", "/docs.json"])
def test_what_is_only_read_does_not(guarded: tuple[str, Path], path: str) -> None:
    assert httpx.get(f"{guarded[0]}{path}").status_code == 200


def test_it_is_told_before_the_body(guarded: tuple[str, Path]) -> None:
    with socket.create_connection(address(guarded[0]), timeout=10) as connection:
        connection.sendall(post_head(4_000_000))
        assert read_answers(connection)[0][0] == 401


def test_a_worker_that_is_replaced_lets_in_whom_the_others_do(tmp_path: Path, digits: Digits) -> None:
    keys = tmp_path / "keys"
    keys.write_text(KEY)
    with running(tmp_path / "log", workers="1", api_key_file=str(keys)) as (url, supervisor):
        keys.unlink()
        victim = supervisor.children()[0]
        victim.kill()
        victim.wait(timeout=10)
        body, sent = png(digits.pick(2)), {"x-api-key": KEY}
        answer = httpx.post(f"{url}/classify", content=body, headers=sent, timeout=60)
        assert answer.json()["digit"] == 2
        assert metric(httpx.get(f"{url}/metrics").text, "numeral_worker_restarts_total") == 1


def test_a_file_without_a_key_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("short\n")
    said = failed_start(tmp_path / "log", api_key_file=str(tmp_path / "keys"))
    assert "line 1" in said
    assert "short" not in said


def test_a_client_that_asks_too_often_is_told_when_to_come_back(tmp_path: Path, digits: Digits) -> None:
    body = png(digits.pick(2))
    with serving(tmp_path / "log", workers="1", client_requests_per_second="0.02") as url:
        with httpx.Client(base_url=url) as client:
            assert client.post("/classify", content=body).status_code == 200
            answer = client.post("/classify", content=body)
            assert_problem(answer, 429, "a client may send 0.02 requests a second; try again in")
            assert 40 <= int(answer.headers["retry-after"]) <= 50
            assert client.get("/models").status_code == 200
            assert metric(client.get("/metrics").text, 'numeral_rejections_total{cause="client_rate"}') == 1
        transport = httpx.HTTPTransport(local_address="127.0.0.2")
        with httpx.Client(base_url=url, transport=transport) as another:
            assert another.post("/classify", content=body).status_code == 200


def test_a_client_behind_a_proxy_is_told_by_a_proxy_that_is_trusted(tmp_path: Path, digits: Digits) -> None:
    """By uvicorn, which trusts those on this machine unless FORWARDED_ALLOW_IPS names others."""
    body = png(digits.pick(2))
    named = [{"x-forwarded-for": f"192.0.2.{last}"} for last in (7, 8, 7)]
    with serving(tmp_path / "log", workers="1", client_requests_per_second="0.02") as url:
        for local, statuses in (("127.0.0.1", [200, 200, 429]), ("127.0.0.2", [200, 429, 429])):
            with httpx.Client(base_url=url, transport=httpx.HTTPTransport(local_address=local)) as proxy:
                answers = [proxy.post("/classify", content=body, headers=headers) for headers in named]
            assert [answer.status_code for answer in answers] == statuses


def test_keys_cannot_be_tried_at_will_and_each_has_its_own_limit(tmp_path: Path, digits: Digits) -> None:
    keys = tmp_path / "keys"
    keys.write_text(f"{KEY}\n{OTHER}\n")
    body = png(digits.pick(2))
    with (
        serving(tmp_path / "log", workers="1", api_key_file=str(keys), client_requests_per_second="0.02") as url,
        httpx.Client(base_url=url) as client,
    ):
        statuses = [
            client.post("/classify", content=body, headers={"x-api-key": key}).status_code
            for key in ("wrong", "wrong as well", KEY, KEY, OTHER)
        ]
    assert statuses == [401, 429, 200, 429, 200]
