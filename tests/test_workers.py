"""Several processes behind one address: they count together, and share out the connections."""

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest

from service.fleet import shared_folder
from tests.harness import Digits, metric, png, running


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
        workers = supervisor.children()
        workers[1].suspend()
        stack.callback(workers[1].resume)  # held up for ever, it would hold up the end of the server
        # From when it is taken for dead, the other has no more than its share and closes none.
        wait_for_workers(url, 1)
        clients = [stack.enter_context(httpx.Client(base_url=url)) for _ in range(12)]
        for client in clients:
            assert client.post("/classify", content=body).status_code == 200
        assert [connections(worker, url) for worker in workers] == [12, 0]
        workers[1].resume()
        counts: list[int] = []
        for _ in range(40):
            for client in clients:
                assert client.post("/classify", content=body).status_code == 200
            counts = [connections(worker, url) for worker in workers]
            if max(counts) - min(counts) <= 3:
                return
        pytest.fail(f"connections by worker: {counts}")


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
            if httpx.get(f"{url}/stats").json()["workers"] == 2 and victim not in supervisor.children():
                break
            time.sleep(0.2)
        else:
            pytest.fail("no worker came in the place of the one that died")
        exposition = httpx.get(f"{url}/metrics").text
        assert metric(exposition, counted) == 20
        assert metric(exposition, 'numeral_stage_seconds_count{model="googlenet",stage="total"}') == 20
