"""A page elsewhere may ask where the setting names its origin, and nowhere else; preflights are answered."""

from collections.abc import Iterator

import httpx
import pytest

from tests.harness import Digits, assert_problem, png, serving

OURS, OTHER = "https://example.org", "https://example.com"


@pytest.fixture(scope="module")
def open_to_one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("cors") / "log"
    with serving(log, cors_origins=f"{OURS}, http://localhost:8080", workers="1") as url:
        yield url


def preflight(url: str, origin: str, method: str = "POST") -> httpx.Response:
    wants = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": "content-type"}
    return httpx.options(f"{url}/classify", headers={"Origin": origin, **wants})


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_preflight_is_answered(open_to_one: str, method: str) -> None:
    response = preflight(open_to_one, OURS, method)
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == OURS
    assert method in response.headers["access-control-allow-methods"]
    assert "content-type" in response.headers["access-control-allow-headers"].lower()
    assert "access-control-allow-credentials" not in response.headers


def test_a_page_may_send_and_read_every_header_that_means_something_here(open_to_one: str) -> None:
    sent = "authorization,content-type,grpc-timeout,inference-header-content-length,traceparent,tracestate,"
    sent += "x-api-key,x-envoy-expected-rq-timeout-ms,x-request-id"
    wants = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": sent}
    path = "/v2/models/googlenet/infer"
    response = httpx.options(f"{open_to_one}{path}", headers={"Origin": OURS, **wants})
    assert response.status_code == 200, response.text
    answered = httpx.post(f"{open_to_one}{path}", headers={"Origin": OURS})
    read = set(answered.headers["access-control-expose-headers"].lower().split(", "))
    assert read == {
        "inference-header-content-length", "retry-after", "server-timing", "www-authenticate", "x-request-id"
    }  # fmt: skip


def test_answers_and_problems_may_be_read(open_to_one: str, digits: Digits) -> None:
    for body, status in ((png(digits.pick(4)), 200), (b"text", 415)):
        response = httpx.post(f"{open_to_one}/classify", content=body, headers={"Origin": OURS})
        assert response.status_code == status
        assert response.headers["access-control-allow-origin"] == OURS
        assert "Server-Timing" in response.headers["access-control-expose-headers"]
    assert httpx.get(f"{open_to_one}/models", headers={"Origin": OURS}).headers["access-control-allow-origin"] == OURS


def test_another_origin_is_told_nothing(open_to_one: str, digits: Digits) -> None:
    refused = preflight(open_to_one, OTHER)
    assert_problem(refused, 400, f"Disallowed CORS origin: '{OTHER}'; allowed: {OURS}, http://localhost:8080")
    assert "access-control-allow-origin" not in refused.headers
    response = httpx.post(f"{open_to_one}/classify", content=png(digits.pick(4)), headers={"Origin": OTHER})
    assert response.json()["digit"] == 4
    assert "access-control-allow-origin" not in response.headers


def test_without_the_setting_nobody_is(server: str, digits: Digits) -> None:
    response = preflight(server, OURS)
    assert response.status_code == 405
    answered = httpx.post(f"{server}/classify", content=png(digits.pick(4)), headers={"Origin": OURS})
    for one in (response, answered):
        assert not [name for name in one.headers if name.startswith("access-control")]
