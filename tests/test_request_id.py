"""Each answer of a real server has an id, each problem the same, whatever a client sends as its own."""

import json

import httpx
import pytest

from tests.harness import Digits, assert_problem, exchange, png, post_head


def test_a_sane_id_comes_back_and_is_in_the_problem(client: httpx.Client, digits: Digits) -> None:
    sent = {"x-request-id": "job-7/3#a"}
    assert client.post("/classify", content=png(digits.pick(1)), headers=sent).headers["x-request-id"] == "job-7/3#a"
    answer = client.post("/classify", content=b"no picture", headers=sent)
    assert_problem(answer, 415, "")
    assert answer.json()["request_id"] == "job-7/3#a"
    assert client.get("/models", headers=sent).headers["x-request-id"] == "job-7/3#a"
    assert client.get("/nowhere", headers=sent).json()["request_id"] == "job-7/3#a"


def test_a_file_s_problem_has_that_of_its_request(client: httpx.Client, digits: Digits) -> None:
    files = [("f", ("a.png", png(digits.pick(1)))), ("f", ("b.png", b"no picture"))]
    answer = client.post("/classify", files=files)
    assert answer.json()[1]["request_id"] == answer.headers["x-request-id"]


def test_without_one_each_has_its_own(client: httpx.Client, digits: Digits) -> None:
    answers = [client.post("/classify", content=png(digits.pick(1))) for _ in range(20)]
    answers += [client.get(path) for path in ("/", "/models", "/stats", "/metrics", "/livez", "/readyz", "/docs.json")]
    assert len({answer.headers["x-request-id"] for answer in answers}) == 27


@pytest.mark.parametrize(
    "hostile",
    [b"a\tb", b"x" * 10_000, "ünicode".encode(), b"\xff\xfe", b"\x1b[31m", b"", b"a\r\nX-Evil: 1", b"a\rX-Evil: 1"],
)
def test_a_hostile_one_is_replaced_or_refused(server: str, digits: Digits, hostile: bytes) -> None:
    body = png(digits.pick(6))
    head = post_head(len(body), "Connection: close").removesuffix(b"\r\n")
    ((status, headers, content),) = exchange(server, head + b"X-Request-ID: " + hostile + b"\r\n\r\n" + body)
    assert "x-evil" not in headers
    assert headers["x-request-id"].isascii()
    assert headers["x-request-id"] == headers["x-request-id"].strip() != ""
    if status == 200:
        # A line feed begins a header of the client's own, and that is all.
        assert headers["x-request-id"] == "a" if hostile.startswith(b"a\r\n") else len(headers["x-request-id"]) < 40
        assert json.loads(content)["digit"] == 6
    else:
        assert status == 400
        assert json.loads(content)["request_id"] == headers["x-request-id"]


def test_what_is_no_http_has_one_too(server: str) -> None:
    ((status, headers, content),) = exchange(server, b"no HTTP\r\n\r\n")
    assert status == 400
    assert json.loads(content)["request_id"] == headers["x-request-id"] != ""
