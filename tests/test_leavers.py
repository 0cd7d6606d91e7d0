"""What nobody waits for any more is not worked on: of clients that have gone, and of those that are in a hurry."""

import contextlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest
from tritonclient import http as triton

from tests.harness import Digits, address, assert_problem, metric, png, post_head, running, wait_until


def large(digits: Digits) -> bytes:
    """A picture that is prepared in a process of its own."""
    return png(digits.pick(1).repeat(8, axis=0).repeat(8, axis=1))


def metrics(url: str) -> str:
    return httpx.get(f"{url}/metrics").text


def dropped(url: str, before: str) -> float:
    return metric(metrics(url), f'numeral_dropped_images_total{{before="{before}"}}')


def in_work(url: str) -> float:
    return metric(metrics(url), "numeral_images_in_work{")


@pytest.fixture
def held_up(tmp_path: Path) -> Iterator[tuple[str, list[psutil.Process]]]:
    """A server whose one worker has no process for pictures that works: those are stopped."""
    with running(tmp_path / "log", workers="1") as (url, supervisor):
        (worker,) = supervisor.children()
        preparers = worker.children()
        assert preparers
        for preparer in preparers:
            preparer.suspend()
        yield url, preparers
        for preparer in preparers:
            preparer.resume()


def send(url: str, body: bytes, *headers: str) -> socket.socket:
    connection = socket.create_connection(address(url), timeout=60)
    connection.sendall(post_head(len(body), *headers) + body)
    return connection


def test_pictures_of_clients_that_have_gone_are_not_decoded(
    held_up: tuple[str, list[psutil.Process]], digits: Digits
) -> None:
    url, preparers = held_up
    body = large(digits)
    with contextlib.ExitStack() as stack:
        begun = [stack.enter_context(send(url, body)) for _ in preparers]
        waiting = [send(url, body) for _ in range(20)]
        wait_until(lambda: in_work(url) == len(begun) + len(waiting))
        for leaver in waiting:
            leaver.close()
        wait_until(lambda: metric(metrics(url), "numeral_connections{") <= len(begun) + 1)
        for preparer in preparers:
            preparer.resume()
        for stayer in begun:
            assert b" 200 " in stayer.recv(100)
        wait_until(lambda: in_work(url) == 0)
    assert dropped(url, "decode") == 20
    assert dropped(url, "inference") == 0
    assert metric(metrics(url), 'numeral_images_total{model="googlenet",outcome="accepted"}') == len(begun)
    assert metric(metrics(url), "numeral_preparer_ends_total") == 0


def test_images_of_clients_that_have_gone_are_not_in_the_batch(tmp_path: Path, digits: Digits) -> None:
    """It waits to be full, or for three seconds."""
    body = png(digits.pick(7))
    with running(tmp_path / "log", workers="1", max_wait_ms="3000") as (url, _):
        with send(url, body) as stayer:
            leavers = [send(url, body) for _ in range(5)]
            wait_until(lambda: metric(metrics(url), "numeral_queue_images{") == 6)
            for leaver in leavers:
                leaver.close()
            head, _, answer = stayer.recv(65_536).partition(b"\r\n\r\n")
            assert b" 200 " in head
            assert json.loads(answer)["batch_size"] == 1
        assert dropped(url, "inference") == 5
        assert metric(metrics(url), "numeral_queue_images{") == 0


@pytest.mark.parametrize("header", [{"grpc-timeout": "300m"}, {"x-envoy-expected-rq-timeout-ms": "300"}])
def test_a_client_in_a_hurry_is_answered_in_time_and_its_picture_is_not_decoded(
    held_up: tuple[str, list[psutil.Process]], digits: Digits, header: dict[str, str]
) -> None:
    url, preparers = held_up
    with contextlib.ExitStack() as stack:
        for _ in preparers:
            stack.enter_context(send(url, large(digits)))
        wait_until(lambda: in_work(url) == len(preparers))
        response = httpx.post(f"{url}/classify", content=large(digits), headers=header, timeout=60)
        assert_problem(response, 504, "within the time that the request gives")
        assert dropped(url, "decode") == 1
        assert metric(metrics(url), "numeral_preparer_ends_total") == 0


def test_a_client_with_time_is_answered_as_any_other(server: str, digits: Digits) -> None:
    """Longer than the deadline is no error either, and does not move it."""
    for value in ("5S", "1H", "99999999H"):
        response = httpx.post(f"{server}/classify", content=png(digits.pick(2)), headers={"grpc-timeout": value})
        assert response.json()["digit"] == 2


@pytest.mark.parametrize("path", ["/classify", "/v2/models/googlenet/infer"])
def test_a_time_that_is_none_is_400(server: str, digits: Digits, path: str) -> None:
    response = httpx.post(f"{server}{path}", content=png(digits.pick(2)), headers={"grpc-timeout": "soon"})
    assert_said(response, 400, "grpc-timeout is 'soon'; allowed: 1 to 8 digits and a unit")


def assert_said(response: httpx.Response, status: int, said: str) -> None:
    assert (response.status_code, said in response.json()["detail"]) == (status, True), response.text


def test_the_timeout_of_triton_s_client_is_kept(tmp_path: Path, digits: Digits) -> None:
    """In microseconds, as a parameter of the request."""
    with running(tmp_path / "log", workers="1", max_wait_ms="3000") as (url, _):
        client = triton.InferenceServerClient(url.removeprefix("http://"))
        images = triton.InferInput("images", [1, 28, 28], "UINT8")
        images.set_data_from_numpy(digits.pick(5)[np.newaxis])
        with pytest.raises(triton.InferenceServerException, match="within the time that the request gives"):
            client.infer("googlenet", [images], timeout=200_000)
        assert dropped(url, "inference") == 1
        assert client.infer("googlenet", [images], timeout=60_000_000).as_numpy("digit").tolist() == [5]
