"""The server as a whole: who can talk to it, how it stops, and that its workers serve one and the same thing."""

import contextlib
import json
import resource
import shutil
import signal
import socket
import stat
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest

from service.fleet import shared_folder
from service.fleet.board import SILENCE
from service.web.protocol import LAST_REQUEST_SECONDS
from tests.harness import (
    ROOT,
    Digits,
    address,
    free_port,
    png,
    post_head,
    read_answers,
    running,
    start_server,
    wait_until_ready,
)


def folder_of(supervisor: psutil.Process) -> Path:
    return Path(supervisor.children()[0].environ()[shared_folder.VARIABLE])


def until(true: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.1)


def until_replaced(victim: psutil.Process, supervisor: psutil.Process) -> None:
    until(lambda: len(supervisor.children()) == 2 and victim not in supervisor.children())


def test_it_listens_to_its_own_port_and_to_nobody_else(tmp_path: Path) -> None:
    """BentoML's arbiter would take commands, pickles among them, from whoever connects to two more."""
    with running(tmp_path / "log", workers="2") as (url, supervisor):
        family = [supervisor, *supervisor.children(recursive=True)]
        ports = {c.laddr.port for each in family for c in each.net_connections("inet") if c.status == "LISTEN"}
        assert ports == {address(url)[1]}
        folder = folder_of(supervisor)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert {path.name for path in folder.iterdir() if path.is_socket()} == {"control", "events", "reloads"}
    assert not folder.exists()


def ask(url: str, body: bytes) -> str:
    """What comes of an upload over a connection of its own."""
    try:
        with socket.create_connection(address(url), timeout=5) as connection:
            connection.sendall(post_head(len(body), "Connection: close") + body)
            answers = read_answers(connection)
    except ConnectionRefusedError:
        return "refused"
    except TimeoutError:
        return "hung"
    except (ConnectionResetError, BrokenPipeError):
        return "reset"
    return str(answers[0][0]) if answers else "reset"


def test_while_it_stops_no_connection_hangs_and_what_was_begun_is_answered(tmp_path: Path, digits: Digits) -> None:
    """An upload that takes its time holds one worker up, and connections go on being made meanwhile."""
    body = png(digits.pick(8))
    port = free_port()
    process = start_server(port, tmp_path / "log", workers="2")
    url = f"http://127.0.0.1:{port}"
    wait_until_ready(url, process, tmp_path / "log")
    outcomes: list[tuple[float, str]] = []
    stopping = threading.Event()

    def keep_asking() -> None:
        while not stopping.is_set():
            begin = time.monotonic()
            outcomes.append((begin, ask(url, body)))
            time.sleep(0.01)

    with socket.create_connection(address(url), timeout=30) as slow, ThreadPoolExecutor(8) as clients:
        slow.sendall(post_head(len(body)) + body[:100])
        askers = [clients.submit(keep_asking) for _ in range(8)]
        time.sleep(1)
        process.send_signal(signal.SIGTERM)
        told = time.monotonic()
        time.sleep(3)
        slow.sendall(body[100:])
        ((status, headers, answer),) = read_answers(slow)
        stopping.set()
        for asker in askers:
            asker.result()
    assert (status, json.loads(answer)["digit"]) == (200, 8)
    assert headers["connection"] == "close"
    assert process.wait(timeout=30) == 0
    counts = Counter(outcome for _, outcome in outcomes)
    late = Counter(outcome for begin, outcome in outcomes if begin > told + 1)
    assert counts["200"] > 20
    assert set(late) == {"refused"}
    assert counts["hung"] == 0
    # One that the kernel has taken in the moment in which the last worker lets go of the socket.
    assert counts["reset"] <= 8


def answer_on(connection: socket.socket, body: bytes) -> bytes:
    connection.sendall(post_head(len(body)) + body)
    answer = connection.recv(65_536)
    assert answer.startswith(b"HTTP/1.1 200 ")
    return answer


def test_a_request_that_arrives_over_a_kept_connection_as_the_server_stops_is_answered(
    tmp_path: Path, digits: Digits
) -> None:
    """Within a second of the signal; a machine that stands still for so long gets to try again."""
    body = png(digits.pick(6))
    for attempt in range(5):
        with running(tmp_path / f"log{attempt}", workers="2") as (url, supervisor), contextlib.ExitStack() as stack:
            opened = [stack.enter_context(socket.create_connection(address(url), timeout=30)) for _ in range(8)]
            begin = time.monotonic()
            # A worker that has more connections than the other, which may not have begun yet, closes some.
            kept = [one for one in opened if b"\r\nconnection: close" not in answer_on(one, body).lower()]
            assert len(kept) >= 2
            told = time.monotonic()
            supervisor.terminate()
            time.sleep(0.3)  # by when an idle machine has let go of the socket
            for one in kept:
                one.sendall(post_head(len(body)) + body)
            sent = time.monotonic()
            # uvicorn closes a connection of its own accord once it has been idle for five seconds.
            if sent - told < LAST_REQUEST_SECONDS and sent - begin < 5:
                for one in kept:
                    ((status, _, answer),) = read_answers(one)
                    assert (status, json.loads(answer)["digit"]) == (200, 6)
                return
    pytest.fail("the machine stood still for a second, five times")


def test_a_worker_that_is_replaced_after_an_export_serves_what_the_others_do(tmp_path: Path, digits: Digits) -> None:
    models = tmp_path / "models"
    shutil.copytree(ROOT / "exported", models)
    with running(tmp_path / "log", workers="2", models_dir=str(models)) as (url, supervisor):
        before = httpx.get(f"{url}/models").json()
        shutil.rmtree(models / "googlenet")
        shutil.copytree(models / "alexnet", models / "googlenet")
        shutil.rmtree(models / "alexnet")
        for victim in supervisor.children():
            victim.kill()
            victim.wait(timeout=10)
            until_replaced(victim, supervisor)
            until(lambda: httpx.get(f"{url}/stats").json()["workers"] == 2)
        for _ in range(6):
            assert httpx.get(f"{url}/models").json() == before
            answer = httpx.post(f"{url}/classify", content=png(digits.pick(3))).json()
            assert (answer["digit"], answer["model"]["sha256"]) == (3, before["googlenet"]["sha256"])


def test_callers_that_leave_after_their_upload_leave_nothing_in_work(tmp_path: Path, digits: Digits) -> None:
    body = png(digits.pick(1).repeat(8, axis=0).repeat(8, axis=1))  # too large to be read in the loop
    with running(tmp_path / "log", workers="1") as (url, _):
        for _ in range(100):
            with socket.create_connection(address(url)) as connection:
                connection.sendall(post_head(len(body)) + body)
        until(lambda: httpx.get(f"{url}/stats").json()["images_in_work"] == 0)
        assert httpx.post(f"{url}/classify", content=body).json()["digit"] == 1


def test_with_no_file_descriptor_left_it_says_so_and_comes_back(tmp_path: Path, digits: Digits) -> None:
    """Connections beyond what a worker can hold are told, the others go on, and no worker is taken for dead."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, before[1]))
    try:
        with running(tmp_path / "log", workers="2") as (url, _), contextlib.ExitStack() as stack:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
            body = png(digits.pick(1))
            crowd = [stack.enter_context(socket.create_connection(address(url), timeout=10)) for _ in range(600)]
            told = [status for one in crowd[-50:] for status, _, _ in read_answers(one)]
            assert set(told) == {503}
            time.sleep(2 * SILENCE)  # after which who has not been heard of counts as dead
            for one in crowd:
                one.close()
            until(lambda: ask(url, body) == "200")
            assert httpx.get(f"{url}/stats").json()["workers"] == 2
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize("name", ["board", "models"])
def test_what_the_workers_share_is_in_one_folder(tmp_path: Path, name: str) -> None:
    with running(tmp_path / "log") as (_, supervisor):
        assert (folder_of(supervisor) / name).exists()
