"""Two replicas behind deploy/nginx/numeral.conf: whichever dies or is stuck, no client notices.

Real replicas and a real nginx, which is Debian's package; where it is missing this is skipped.
"""

import contextlib
import re
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest
from PIL import Image

from service.settings import Settings
from tests.deploy.proxy import CONFIGURATION, NGINX, nginx
from tests.harness import (
    Digits,
    address,
    assert_problem,
    encode,
    end,
    free_port,
    metric,
    png,
    running,
    start_server,
    wait_until,
    wait_until_ready,
)

SETTINGS = Settings()

pytestmark = pytest.mark.skipif(not NGINX, reason="no nginx here: apt-get install nginx-light")


@dataclass(frozen=True)
class Replica:
    url: str
    supervisor: psutil.Process

    def signal(self, number: signal.Signals) -> None:
        """To all of its processes, the first one first, so that it replaces none."""
        for process in [self.supervisor, *self.supervisor.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def requests(self) -> float:
        return metric(httpx.get(f"{self.url}/metrics").text, 'numeral_requests_total{path="/classify"')


Pair = tuple[Replica, Replica]


@contextlib.contextmanager
def behind(folder: Path) -> Iterator[tuple[str, Pair]]:
    """The URL of an nginx, and the replicas behind it."""
    with (
        running(folder / "one.log", workers="1") as one,
        running(folder / "two.log", workers="1") as two,
        nginx(folder, one[0], two[0]) as url,
    ):
        yield url, (Replica(*one), Replica(*two))


@pytest.fixture
def own(tmp_path: Path) -> Iterator[tuple[str, Pair]]:
    """To be ended by a test."""
    with behind(tmp_path) as given:
        yield given


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("nginx")


@pytest.fixture(scope="module")
def shared(folder: Path) -> Iterator[tuple[str, Pair]]:
    with behind(folder) as given:
        yield given


@dataclass
class Load:
    """Clients that never ask again, each with a picture of its own, and what they were answered."""

    url: str
    answers: Counter[str] = field(default_factory=Counter)
    over: threading.Event = field(default_factory=threading.Event)

    def client(self, body: bytes) -> None:
        with httpx.Client(base_url=self.url, timeout=60) as http:
            while not self.over.is_set():
                self.answers[self.answer(http, body)] += 1

    def answer(self, http: httpx.Client, body: bytes) -> str:
        try:
            answer = http.post("/classify", content=body)
            return f"{answer.status_code} {answer.json().get('digit')}"
        except httpx.TransportError as error:
            return repr(error)

    def more(self, count: int) -> None:
        """Returns once so many more are answered."""
        wanted = self.answers.total() + count
        wait_until(lambda: self.answers.total() >= wanted, seconds=120)


@contextlib.contextmanager
def load(url: str, bodies: list[bytes]) -> Iterator[Load]:
    given = Load(url)
    with ThreadPoolExecutor(len(bodies)) as threads:
        clients = [threads.submit(given.client, body) for body in bodies]
        try:
            yield given
        finally:
            given.over.set()
        for client in clients:
            client.result()


def eights(digits: Digits) -> list[bytes]:
    """Small ones, which are many, and large ones, which are long in work and in processes of their own."""
    image = Image.fromarray(digits.pick(8))
    return [encode(image.resize((side, side)), "PNG") for side in (28, 28, 28, 28, 600, 600)]


def test_a_replica_that_is_killed_under_load_costs_no_answer(
    tmp_path: Path, own: tuple[str, Pair], digits: Digits
) -> None:
    """One that is started in its place is asked again."""
    proxy, (one, two) = own
    with load(proxy, eights(digits)) as clients:
        clients.more(100)
        assert min(one.requests(), two.requests()) > 0
        one.signal(signal.SIGKILL)
        clients.more(200)
        again = start_server(address(one.url)[1], tmp_path / "again.log", workers="1")
        try:
            wait_until_ready(one.url, again, tmp_path / "again.log")
            wait_until(lambda: one.requests() > 20)
        finally:
            clients.over.set()
            end(again)
    assert list(clients.answers) == ["200 8"]


def test_a_replica_that_ends_as_asked_costs_no_answer(own: tuple[str, Pair], digits: Digits) -> None:
    proxy, (one, _) = own
    with load(proxy, eights(digits)) as clients:
        clients.more(100)
        one.supervisor.terminate()
        clients.more(200)
        one.supervisor.wait()
        clients.more(100)
    assert list(clients.answers) == ["200 8"]


def test_a_replica_that_is_stuck_costs_time_alone(shared: tuple[str, Pair], digits: Digits) -> None:
    proxy, (one, _) = shared
    one.signal(signal.SIGSTOP)
    try:
        with load(proxy, eights(digits)[:2]) as clients:
            clients.more(20)
    finally:
        one.signal(signal.SIGCONT)
    assert list(clients.answers) == ["200 8"]


def test_without_replicas_it_says_so(tmp_path: Path) -> None:
    nobody = [f"http://127.0.0.1:{free_port()}" for _ in range(2)]
    with nginx(tmp_path, *nobody) as proxy:
        answer = httpx.post(f"{proxy}/classify", content=b"x", headers={"X-Request-ID": "mine"})
    assert_problem(answer, 503, "no replica answers")
    assert (answer.headers["retry-after"], answer.headers["x-request-id"]) == ("1", "mine")


def test_what_passes_and_what_does_not(shared: tuple[str, Pair], digits: Digits) -> None:
    proxy, _ = shared
    content = png(digits.pick(3))
    mine = httpx.post(f"{proxy}/classify", content=content, headers={"X-Request-ID": "mine-1"})
    assert (mine.json()["digit"], mine.headers["x-request-id"]) == (3, "mine-1")
    quoted = httpx.post(f"{proxy}/classify", content=content, headers={"X-Request-ID": 'a"b'})
    assert re.fullmatch("[0-9a-f]{32}", quoted.headers["x-request-id"])
    assert httpx.put(f"{proxy}/classify/7.png", content=content).json()["file"] == "7.png"
    assert httpx.get(f"{proxy}/v2").json()["name"] == "numeral"
    assert_problem(httpx.get(f"{proxy}/metrics"), 404, "each replica has this at its own address")
    loading = httpx.post(f"{proxy}/v2/repository/models/googlenet/load")
    assert_problem(loading, 404, "each replica has this at its own address")
    too_large = httpx.post(f"{proxy}/classify", content=bytes(SETTINGS.max_body_bytes + 1))
    assert_problem(too_large, 413, "which is the limit")
    assert_problem(httpx.post(f"{proxy}/classify", content=b"text"), 415, "")


def test_no_picture_is_written_to_disk(folder: Path, shared: tuple[str, Pair]) -> None:
    """nginx says so in its log where it does."""
    proxy, _ = shared
    noise = np.random.default_rng(0).integers(0, 256, (1800, 1800, 3), np.uint8)
    body = encode(noise, "BMP")
    for content in (body, iter([body])):
        answer = httpx.post(f"{proxy}/classify?explain=1", content=content, timeout=60)
        assert (answer.status_code, answer.json()["accepted"]) == (200, False)
    assert len(body) > 9_000_000
    assert "temporary file" not in (folder / "error.log").read_text()


def test_its_limits_are_those_of_the_service() -> None:
    for name in ("client_max_body_size", "client_body_buffer_size"):
        assert f"{name} {SETTINGS.max_body_bytes};" in CONFIGURATION
    assert f"more than {SETTINGS.max_body_bytes} bytes" in CONFIGURATION
    (seconds,) = re.findall(r"proxy_read_timeout (\d+)s;", CONFIGURATION)
    assert int(seconds) * 1000 > SETTINGS.deadline_ms
