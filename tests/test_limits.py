"""A server that is full says so, and one that is late does no work that nobody waits for."""

import contextlib
import json
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil

from tests.harness import (
    ROOT,
    Digits,
    address,
    assert_problem,
    free_port,
    metric,
    png,
    post_head,
    read_answers,
    running,
    serving,
    start_server,
    wait_until,
    wait_until_ready,
)


def test_a_full_queue_is_429_with_retry_after_and_the_rest_is_answered(tmp_path: Path, digits: Digits) -> None:
    with serving(tmp_path / "log", queue_size="4", max_files="4", workers="1") as url:

        def post(i: int) -> httpx.Response:
            files = [("f", ("x.png", png(digits.images[i]), "image/png"))] * 2
            return httpx.post(f"{url}/classify", params={"model": "alexnet"}, files=files, timeout=30)

        with ThreadPoolExecutor(24) as clients:
            responses: list[httpx.Response] = []
            # A service that is quicker than the clients of this process has room for all of them for a while.
            while not (refused := [each for each in responses if each.status_code == 429]) and len(responses) < 4000:
                responses += clients.map(post, range(200))
        assert {response.status_code for response in responses} == {200, 429}
        assert_problem(refused[0], 429, "images are in work and 2 more would pass the limit of 4")
        assert {response.headers["retry-after"] for response in refused} == {"1"}
        assert post(0).status_code == 200
        exposition = httpx.get(f"{url}/metrics").text
        assert metric(exposition, 'numeral_rejections_total{cause="images"}') == len(refused)
        assert metric(exposition, 'numeral_requests_total{path="/classify",status="429"}') == len(refused)
        assert metric(exposition, "numeral_images_in_work{") == 0


def test_more_bytes_of_uploads_than_a_worker_holds_are_429(tmp_path: Path, digits: Digits) -> None:
    """By what has arrived of them, not by what is announced."""
    with (
        serving(tmp_path / "log", max_body_bytes="100000", max_upload_bytes="100000", workers="1") as url,
        socket.create_connection(address(url)) as slow,
    ):
        body = png(digits.pick(1))

        def held() -> float:
            return metric(httpx.get(f"{url}/metrics").text, 'numeral_upload_bytes{worker="1"}')

        slow.sendall(post_head(100_000) + bytes(99_900))
        wait_until(lambda: held() == 99_900)
        response = httpx.post(f"{url}/classify", content=body)
        assert_problem(response, 429, "99,900 bytes of uploads are in work and")
        assert response.headers["retry-after"] == "1"
        exposition = httpx.get(f"{url}/metrics").text
        assert metric(exposition, 'numeral_rejections_total{cause="upload_bytes"}') == 1
        assert metric(exposition, 'numeral_upload_bytes{worker="1"}') == 99_900
        assert metric(exposition, 'numeral_requests_in_flight{worker="1"}') == 2  # that upload, and this
        slow.close()
        wait_until(lambda: held() == 0)
        assert httpx.post(f"{url}/classify", content=body).status_code == 200


def test_many_uploads_that_drip_keep_nobody_out_and_end(tmp_path: Path, digits: Digits) -> None:
    """A byte a second each: seven hundred hold seven hundred bytes, and their places for a few seconds."""
    with serving(tmp_path / "log", workers="1") as url, contextlib.ExitStack() as stack:
        drips = [stack.enter_context(socket.create_connection(address(url))) for _ in range(700)]
        for drip in drips:
            drip.sendall(post_head(5_000_000) + b"x")
        statuses = []
        begin = time.monotonic()
        while time.monotonic() - begin < 3:
            statuses.append(httpx.post(f"{url}/classify", content=png(digits.pick(1))).status_code)
            for drip in drips:
                drip.sendall(b"x")
            time.sleep(1)
        assert set(statuses) == {200}
        drips[0].settimeout(30)
        ((status, _, body),) = read_answers(drips[0])
        assert status == 408
        assert b"1,000 a second" in body
        assert time.monotonic() - begin < 15


def test_two_servers_keep_metrics_of_their_own(tmp_path: Path, server: str, digits: Digits) -> None:
    httpx.post(f"{server}/classify", content=png(digits.pick(1)))
    counted = 'numeral_requests_total{path="/classify",status="200"}'
    before = metric(httpx.get(f"{server}/metrics").text, counted)
    with serving(tmp_path / "log") as other:
        assert metric(httpx.get(f"{other}/metrics").text, counted) == 0
    httpx.post(f"{server}/classify", content=png(digits.pick(1)))
    assert metric(httpx.get(f"{server}/metrics").text, counted) == before + 1


def test_what_is_later_than_the_deadline_is_504_and_not_worked_on(tmp_path: Path, digits: Digits) -> None:
    with serving(tmp_path / "log", deadline_ms="1") as url:
        files = [("f", ("x.png", png(image), "image/png")) for image in digits.images[:200]]
        assert_problem(httpx.post(f"{url}/classify", files=files, timeout=30), 504, "deadline of 1 ms")
        exposition = httpx.get(f"{url}/metrics").text
        assert "numeral_batch_images_count" in exposition
        assert metric(exposition, "numeral_batch_images_count") == 0
        assert httpx.get(f"{url}/stats").json()["images_in_work"] == 0


def test_a_large_picture_without_a_turn_is_429_while_its_client_still_waits(tmp_path: Path) -> None:
    photo = (ROOT / "digit.png").read_bytes()
    with running(tmp_path / "log", workers="1", deadline_ms="3000") as (url, supervisor):
        stuck = [each for each in supervisor.children(recursive=True) if "service.fleet.preparer" in each.cmdline()]
        for process in stuck:
            process.suspend()
        with ThreadPoolExecutor(len(stuck) + 1) as clients:
            sent = [
                clients.submit(httpx.post, f"{url}/classify", content=photo, timeout=30) for _ in range(len(stuck) + 1)
            ]
            late = sorted((each.result() for each in sent), key=lambda response: response.elapsed)
        assert_problem(late[0], 429, "no process for large images was free within 1.5 s")
        assert late[0].headers["retry-after"] == "1"
        for response in late[1:]:
            assert_problem(response, 504, "deadline of 3000 ms")
        assert metric(httpx.get(f"{url}/metrics").text, 'numeral_rejections_total{cause="large_images"}') == 1
        assert httpx.post(f"{url}/classify", content=photo, timeout=30).status_code == 200


def test_what_is_at_work_on_a_form_ends_with_it(tmp_path: Path) -> None:
    """No deadline is there any more to end it, once one picture of the form got no turn."""
    photo = (ROOT / "digit.png").read_bytes()
    server = running(tmp_path / "log", workers="1", deadline_ms="4000")
    with server as (url, supervisor), ThreadPoolExecutor(1) as other:
        stuck = [each for each in supervisor.children(recursive=True) if "service.fleet.preparer" in each.cmdline()]
        for process in stuck:
            process.suspend()
        before = other.submit(httpx.post, f"{url}/classify", content=photo, timeout=30)
        wait_until(lambda: httpx.get(f"{url}/stats").json()["images_in_work"] == 1)
        files = [("image", ("x.png", photo, "image/png")) for _ in stuck]
        late = httpx.post(f"{url}/classify", files=files, timeout=30)
        assert_problem(late, 429, "no process for large images was free within 2 s")
        _, still_there = psutil.wait_procs(stuck, timeout=1)
        assert len(still_there) == 1
        assert_problem(before.result(), 504, "deadline of 4000 ms")


def test_a_stop_signal_ends_the_server_cleanly(tmp_path: Path) -> None:
    port = free_port()
    process = start_server(port, tmp_path / "log")
    wait_until_ready(f"http://127.0.0.1:{port}", process, tmp_path / "log")
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 0


def test_settings_change_the_limits(tmp_path: Path, digits: Digits) -> None:
    with serving(tmp_path / "log", max_pixels="700", max_body_bytes="1000", default_model="alexnet") as url:
        assert_problem(httpx.post(f"{url}/classify", content=png(digits.pick(1))), 413, "784 pixels; the limit is 700")
        assert_problem(httpx.post(f"{url}/classify", content=b"x" * 1001), 413, "1,001 bytes; the limit is 1,000")
        assert json.loads(httpx.get(f"{url}/models").text)["alexnet"]["default"] is True
