"""Several processes behind one address: they count together, and share out the connections."""

import contextlib
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path

import httpx
import psutil
import pytest

from service.fleet import shared_folder
from tests.harness import Digits, address, metric, png, running, wait_until


def folder_of(supervisor: psutil.Process) -> Path:
    return Path(supervisor.children()[0].environ()[shared_folder.VARIABLE])


def connections(worker: psutil.Process, url: str) -> int:
    port = int(url.rsplit(":", 1)[1])
    return sum(c.status == "ESTABLISHED" and c.laddr.port == port for c in worker.net_connections())


def wait_for_workers(url: str, count: int) -> None:
    for _ in range(150):
        if httpx.get(f"{url}/stats").json()["workers"] == count:
            return
        time.sleep(0.2)
    pytest.fail(f"/stats never spoke of {count} workers")


def test_stats_and_metrics_speak_for_all(tmp_path: Path, digits: Digits) -> None:
    with running(tmp_path / "log", workers="2") as (url, supervisor):
        folder = folder_of(supervisor)
        assert folder.is_dir()
        with ThreadPoolExecutor(8) as clients:
            list(clients.map(lambda i: httpx.post(f"{url}/classify", content=png(digits.images[i])), range(80)))
        counted = 'numeral_requests_total{path="/classify",status="200"}'
        for _ in range(6):  # a connection each, so that both are asked
            stats = httpx.get(f"{url}/stats").json()
            assert (stats["workers"], stats["images"], stats["images_in_work"]) == (2, 80, 0)
            assert metric(httpx.get(f"{url}/metrics").text, counted) == 80
    assert not folder.exists()


def test_connections_are_evened_out(tmp_path: Path, digits: Digits) -> None:
    """All of them begin at one worker, as the other is held up; once it goes on they are shared out."""
    with running(tmp_path / "log", workers="2") as (url, supervisor), contextlib.ExitStack() as stack:
        body = png(digits.pick(1))
        wait_for_workers(url, 2)
        workers = supervisor.children()
        with suspended(workers[1]):
            clients = [stack.enter_context(contextlib.closing(HTTPConnection(*address(url)))) for _ in range(12)]
            for client in clients:
                client.connect()
            wait_until(lambda: connections(workers[0], url) == 12)
        assert connections(workers[1], url) == 0
        counts: list[int] = []
        for _ in range(40):
            for client in clients:
                client.request("POST", "/classify", body)
                assert client.getresponse().read()
            counts = [connections(worker, url) for worker in workers]
            if max(counts) - min(counts) <= 3:
                return
        pytest.fail(f"connections by worker: {counts}")


@contextlib.contextmanager
def suspended(process: psutil.Process) -> Iterator[None]:
    """For less time than that after which a worker is taken for hung."""
    process.suspend()
    try:
        yield
    finally:
        process.resume()


def test_a_worker_that_died_is_replaced_and_counts_go_on(tmp_path: Path, digits: Digits) -> None:
    counted = 'numeral_requests_total{path="/classify",status="200"}'
    with running(tmp_path / "log", workers="2") as (url, supervisor):
        body = png(digits.pick(1))
        for _ in range(10):
            assert httpx.post(f"{url}/classify", content=body).status_code == 200
        victim = supervisor.children()[0]
        victim.kill()
        victim.wait(timeout=10)
        for _ in range(10):
            assert httpx.post(f"{url}/classify", content=body).status_code == 200
        for _ in range(150):
            exposition = httpx.get(f"{url}/metrics").text
            if metric(exposition, "numeral_worker_restarts_total") >= 1 and victim not in supervisor.children():
                break
            time.sleep(0.2)
        else:
            pytest.fail("no worker came in the place of the one that died")
        assert httpx.get(f"{url}/stats").json()["workers"] == 2
        assert metric(exposition, counted) == 20
        assert metric(exposition, 'numeral_stage_seconds_count{model="googlenet",stage="total"}') == 20
        assert metric(exposition, "numeral_workers ") == metric(exposition, "numeral_workers_wanted") == 2
