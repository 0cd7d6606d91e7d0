"""On a real connection to a real server: what comes is bounded, and what is not HTTP is told so as a problem."""

import asyncio
import gc
import json
import socket
import struct
import time
from collections.abc import Iterator

import httpx
import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from service.web import protocol
from service.web.protocol import CHUNKS, HEAD_BYTES, HEAD_SECONDS, HEADERS, PIPELINED, Protocol
from tests.harness import ROOT, Digits, address, exchange, png, post_head, read_answers, serving

PHOTO = (ROOT / "digit.png").read_bytes()

Answers = list[tuple[int, dict[str, str], bytes]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of one worker: with more of them some connections are ended, so that others get their share."""
    with serving(tmp_path_factory.mktemp("protocol") / "log", workers="1") as url:
        yield url


def assert_refused(answers: Answers, status: int, said: str) -> None:
    """By one problem, after which the connection is closed."""
    ((answered, headers, body),) = answers
    problem = json.loads(body)
    assert (answered, problem["status"]) == (status, status), problem
    assert headers["content-type"] == "application/problem+json"
    assert headers["connection"] == "close"
    assert said in problem["detail"]


def get(*headers: str) -> bytes:
    return "\r\n".join(["GET /models HTTP/1.1", "Host: x", *headers, "", ""]).encode()


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"nonsense\r\n\r\n", "no valid HTTP"),
        (b"GET /models HTTP/9.9\r\n\r\n", "no valid HTTP"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "no valid HTTP"),
        (b"GET /models HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n", "no valid HTTP"),
        (b"POST /classify HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", "no valid HTTP"),
        (b"POST /classify HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "no valid HTTP"),
        (
            b"POST /classify HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "no valid HTTP",
        ),
        (b"POST /classify HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "no valid HTTP"),
        (b"GET http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n", "no valid HTTP"),
    ],
    ids=["words", "version", "tls", "header", "long length", "negative length", "two lengths", "chunk", "address"],
)
def test_what_is_no_http_is_a_problem(server: str, sent: bytes, said: str) -> None:
    assert_refused(exchange(server, sent), 400, said)


def test_a_broken_body_is_a_problem_to_whoever_is_reading_it(server: str) -> None:
    head = b"POST /classify HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    with socket.create_connection(address(server), timeout=10) as connection:
        connection.sendall(head + b"3\r\nabc\r\n")
        time.sleep(0.3)
        connection.sendall(b"no length\r\n")
        assert_refused(read_answers(connection), 400, "no valid HTTP")


@pytest.mark.parametrize(
    "headers",
    [["A: b"] * (HEADERS + 1), ["A: " + "b" * HEAD_BYTES], [f"A{i}: {'b' * 400}" for i in range(60)]],
    ids=["many", "long", "long together"],
)
def test_more_headers_than_a_request_may_have_are_431(server: str, headers: list[str]) -> None:
    assert_refused(exchange(server, get(*headers)), 431, "more than")


def test_a_request_line_counts_too(server: str) -> None:
    assert_refused(exchange(server, b"GET /" + b"a" * HEAD_BYTES + b" HTTP/1.1\r\n\r\n"), 431, "16,384 bytes")


def test_headers_without_an_end_are_431_long_before_they_are_many(server: str) -> None:
    """Sixty megabytes, of which next to nothing is read; as small headers, and as one that does not end."""
    for unit in (b"A: b\r\n", b"b" * 6):
        begin = time.perf_counter()
        assert_refused(exchange(server, b"GET / HTTP/1.1\r\nX: " + unit * 1_000_000), 431, "more than")
        assert time.perf_counter() - begin < 5


@pytest.mark.parametrize("trailer", [b"A: b\r\n", b"A: b" + b"b" * 12_000_000], ids=["many", "one that does not end"])
def test_trailers_are_counted_among_the_headers(server: str, trailer: bytes) -> None:
    head = b"POST /classify HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n"
    begin = time.perf_counter()
    assert_refused(exchange(server, head + trailer * max(1, 12_000_000 // len(trailer))), 431, "headers and trailers")
    assert time.perf_counter() - begin < 5


def test_a_chunk_whose_length_does_not_end_is_431(server: str) -> None:
    head = b"POST /classify HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert_refused(exchange(server, head + b"1;" + b"x" * 1_000_000), 431, "more than")


def test_as_many_headers_as_a_browser_sends_are_fine(server: str) -> None:
    answers = exchange(server, get(*[f"X-{i}: {'v' * 100}" for i in range(80)], "Connection: close"))
    assert [status for status, _, _ in answers] == [200]


def test_a_large_head_may_come_in_pieces(server: str) -> None:
    head = get(*[f"X-{i}: {'v' * 150}" for i in range(95)], "Connection: close")
    assert HEAD_BYTES * 0.9 < len(head) < HEAD_BYTES
    with socket.create_connection(address(server), timeout=10) as connection:
        for start in range(0, len(head), 3000):
            connection.sendall(head[start : start + 3000])
            time.sleep(0.05)
        assert [status for status, _, _ in read_answers(connection)] == [200]


@pytest.mark.parametrize("cut", [10, 30, 100])
def test_a_head_may_be_cut_anywhere_with_a_body_behind_it(server: str, cut: int) -> None:
    request = post_head(len(PHOTO), "Connection: close") + PHOTO
    assert len(request) > HEAD_BYTES
    with socket.create_connection(address(server), timeout=10) as connection:
        connection.sendall(request[:cut])
        time.sleep(0.1)
        connection.sendall(request[cut:])
        assert [status for status, _, _ in read_answers(connection)] == [200]


def test_a_body_in_very_small_chunks_is_413(server: str) -> None:
    head = b"POST /classify HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert_refused(exchange(server, head + b"1\r\nx\r\n" * (CHUNKS + 100)), 413, "chunks")


@pytest.mark.parametrize(
    "headers",
    [
        ["Connection: Upgrade", "Upgrade: foo"],
        ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQBAAAAAAIAAAAA"],
        ["Connection: upgrade", "Upgrade: TLS/1.0, IRC/6.9"],
        ["Connection: keep-alive, Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"],
    ],
    ids=["foo", "h2c, as Java asks", "list", "websocket"],
)
def test_an_upgrade_that_nobody_speaks_is_ignored_and_the_body_is_the_bodys(
    server: str, digits: Digits, headers: list[str]
) -> None:
    """Whether all comes at once or head and body apart, and with another request behind it."""
    image = png(digits.pick(6))
    head = post_head(len(image), *headers)
    answers = exchange(server, head + image + get("Connection: close"))
    assert [status for status, _, _ in answers] == [200, 200]
    assert json.loads(answers[0][2])["digit"] == 6
    assert "googlenet" in json.loads(answers[1][2])
    with socket.create_connection(address(server), timeout=10) as connection:
        connection.sendall(head)
        time.sleep(0.2)
        connection.sendall(image + get("Connection: close"))
        assert [status for status, _, _ in read_answers(connection)] == [200, 200]


def test_a_body_that_looks_like_a_request_is_no_request(server: str) -> None:
    hidden = get() * 3
    answers = exchange(server, post_head(len(hidden), "Connection: Upgrade", "Upgrade: foo") + hidden, seconds=1)
    assert [status for status, _, _ in answers] == [415]


def test_an_upgraded_request_in_chunks_is_read(server: str, digits: Digits) -> None:
    image = png(digits.pick(3))
    head = "POST /classify HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: upgrade\r\nUpgrade: foo\r\n"
    body = f"{len(image):x}\r\n".encode() + image + b"\r\n0\r\n\r\n"
    ((status, _, answer),) = exchange(server, head.encode() + b"\r\n" + body, seconds=1)
    assert (status, json.loads(answer)["digit"]) == (200, 3)


def test_connect_is_no_way_in(server: str) -> None:
    assert_refused(exchange(server, b"CONNECT example.org:443 HTTP/1.1\r\nHost: x\r\n\r\n" + get()), 405, "no proxy")


def test_requests_may_be_sent_ahead_but_not_without_end(server: str) -> None:
    assert [status for status, _, _ in exchange(server, get() * PIPELINED, seconds=1)] == [200] * PIPELINED
    answers = exchange(server, get() * 20_000)
    assert {status for status, _, _ in answers} == {200}
    assert len(answers) <= PIPELINED + 1


def test_a_bad_request_behind_a_good_one_does_not_spoil_its_answer(server: str, digits: Digits) -> None:
    image = png(digits.pick(2))
    answers = exchange(server, post_head(len(image)) + image + b"nonsense\r\n\r\n")
    assert (answers[0][0], json.loads(answers[0][2])["digit"]) == (200, 2)
    assert len(answers) == 1


def test_three_good_requests_before_a_bad_one_are_answered_and_the_last_says_so(server: str) -> None:
    begin = time.monotonic()
    answers = exchange(server, get() * 3 + b"nonsense\r\n\r\n")
    assert [status for status, _, _ in answers] == [200] * 3
    assert [headers.get("connection") for _, headers, _ in answers] == [None, None, "close"]
    assert time.monotonic() - begin < 3


@pytest.mark.parametrize("path", ["/classify?model=lenet", "/absent", "/models"])
def test_a_client_that_wants_to_close_gets_its_refusal_too(server: str, path: str) -> None:
    """As urllib, which says so always, and sends all before it reads."""
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 4000000\r\nConnection: close\r\n\r\n".encode()
    for _ in range(5):
        with socket.create_connection(address(server), timeout=10) as connection:
            connection.sendall(head)
            connection.sendall(bytes(4_000_000))
            ((status, _, body),) = read_answers(connection)
            assert (status, json.loads(body)["status"]) == (status, status)
            assert status in (400, 404, 405)


def test_an_upload_that_is_refused_at_once_is_answered_though_it_comes_on(server: str) -> None:
    """A client that sends all before it reads must find its answer, and may go on with its connection."""
    for _ in range(5):
        with httpx.Client(base_url=server, timeout=10) as client:
            response = client.post("/classify?model=lenet", content=bytes(4_000_000))
            assert response.status_code == 400
            assert client.get("/livez").status_code == 200


def test_a_connection_that_says_nothing_or_never_comes_to_the_point_is_closed(server: str) -> None:
    """Without a word, within a head, and with empty lines that keep coming; each of them in the same ten seconds."""
    partial = b"GET /models HTTP/1.1\r\nHost: x\r\nA: "
    begin = time.monotonic()
    silent, within, empty, after = (
        socket.create_connection(address(server), timeout=HEAD_SECONDS + 10) for _ in range(4)
    )
    within.sendall(partial)
    after.sendall(get())
    after.recv(65_536)
    while time.monotonic() - begin < HEAD_SECONDS - 2:
        empty.sendall(b"\r\n")
        within.sendall(b"b")
        time.sleep(1)
    assert_refused(read_answers(within), 408, "head of the request did not arrive")
    for connection in (silent, empty, after):
        assert read_answers(connection) == []
    assert time.monotonic() - begin < HEAD_SECONDS + 5
    for connection in (silent, within, empty, after):
        connection.close()


def test_a_client_that_does_not_read_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answers, more than the sockets take, would stay in memory for good."""
    monkeypatch.setattr(protocol, "WRITE_SECONDS", 0.5)
    large = 64_000_000

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % large)]})
        await send({"type": "http.response.body", "body": bytes(large)})

    async def scenario() -> bool:
        config = uvicorn.Config(app, http=Protocol, lifespan="off", log_config=None)
        server = uvicorn.Server(config)
        listening = socket.create_server(("127.0.0.1", 0))
        serving = asyncio.create_task(server.serve([listening]))
        reader, writer = await asyncio.open_connection(*listening.getsockname(), limit=1024)
        writer.write(get())
        for _ in range(100):
            await asyncio.sleep(0.1)
            if not server.server_state.connections and not reader.at_eof():
                break
        gone = not server.server_state.connections
        writer.transport.abort()
        server.should_exit = True
        await serving
        return gone

    assert asyncio.run(scenario())


@pytest.mark.parametrize("answered", [True, False])
def test_a_connection_that_is_reset_leaves_nothing_to_collect(answered: bool) -> None:
    """Else a server gathers millions of objects, whose collection stops it for seconds."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass
        await asyncio.sleep(0 if answered else 0.2)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})
        await send({"type": "http.response.body", "body": b"x"})

    async def scenario() -> int:
        server = uvicorn.Server(uvicorn.Config(app, http=Protocol, lifespan="off", log_config=None))
        listening = socket.create_server(("127.0.0.1", 0))
        serving = asyncio.create_task(server.serve([listening]))
        for _ in range(10):
            reader, writer = await asyncio.open_connection(*listening.getsockname())
            # Two of them: what waits behind another is let go too.
            writer.write(get() + get())
            if answered:
                await reader.readexactly(1)
            else:
                await asyncio.sleep(0.05)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        await asyncio.sleep(0.5)
        # By the type itself: a proxy whose object is gone raises where it is asked for its class.
        left = sum(type(each) is Protocol for each in gc.get_objects())
        server.should_exit = True
        await serving
        return left

    gc.collect()
    gc.disable()
    try:
        assert asyncio.run(scenario()) == 0
    finally:
        gc.enable()
