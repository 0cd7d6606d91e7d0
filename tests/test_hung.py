"""Processes that hang or are killed: each is replaced or ends, and nothing of it is left behind."""

import contextlib
import hashlib
import json
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnx
import psutil
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from service.fleet import shared_folder
from tests.harness import (
    ROOT,
    Digits,
    address,
    free_port,
    metric,
    png,
    running,
    start_server,
    wait_until,
    wait_until_ready,
)


def worker_processes(supervisor: psutil.Process) -> list[psutil.Process]:
    return [child for child in supervisor.children() if child.status() != psutil.STATUS_ZOMBIE]


def folder_of(supervisor: psutil.Process) -> Path:
    return Path(supervisor.children()[0].environ()[shared_folder.VARIABLE])


def connections(worker: psutil.Process, url: str) -> int:
    _, port = address(url)
    return sum(each.status == "ESTABLISHED" and each.laddr.port == port for each in worker.net_connections())


def until_two_answer(url: str, restarts: int) -> None:
    def two() -> bool:
        with contextlib.suppress(httpx.TransportError):
            exposition = httpx.get(f"{url}/metrics", timeout=5).text
            # Of one that still starts there is nothing to be seen.
            seen = [metric(exposition, f'numeral_process_open_fds{{process="{number}"}}') for number in (1, 2)]
            return all(seen) and metric(exposition, "numeral_worker_restarts_total") == restarts
        return False

    wait_until(two, 60)


def until_living(url: str, workers: int) -> None:
    """As the one says that answers; a connection may yet be with the other."""

    def told() -> bool:
        with contextlib.suppress(httpx.TransportError):
            return bool(httpx.get(f"{url}/stats", timeout=5).json()["workers"] == workers)
        return False

    wait_until(told, 60)


def test_a_worker_that_is_stopped_is_replaced_and_its_own_connections_alone_are_lost(
    tmp_path: Path, digits: Digits
) -> None:
    body = png(digits.pick(4))
    with running(tmp_path / "log", workers="2") as (url, supervisor), contextlib.ExitStack() as stack:
        until_two_answer(url, restarts=0)
        clients = [stack.enter_context(httpx.Client(base_url=url, timeout=60)) for _ in range(24)]

        def ask(client: httpx.Client) -> list[int]:
            """The statuses of ten requests; 0 where the connection is lost."""
            statuses = []
            for _ in range(10):
                try:
                    statuses.append(client.post("/classify", content=body).status_code)
                except httpx.TransportError:
                    statuses.append(0)
            return statuses

        with ThreadPoolExecutor(len(clients)) as threads:
            assert {status for statuses in threads.map(ask, clients) for status in statuses} == {200}
            victim = max(worker_processes(supervisor), key=lambda worker: connections(worker, url))
            victim.suspend()
            lost = connections(victim, url)
            assert lost > 0
            outcomes = [status for statuses in threads.map(ask, clients) for status in statuses]
        assert (outcomes.count(0), outcomes.count(200)) == (lost, 240 - lost)
        until_two_answer(url, restarts=1)
        assert victim not in worker_processes(supervisor)


def test_all_that_are_stopped_are_replaced_and_who_asks_meanwhile_is_answered(tmp_path: Path) -> None:
    """There is nobody to say no: the socket is theirs, and connections wait there for those that come."""
    with running(tmp_path / "log", workers="2") as (url, supervisor):
        until_two_answer(url, restarts=0)
        victims = worker_processes(supervisor)
        for victim in victims:
            victim.suspend()
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(f"{url}/readyz", timeout=0.5)
        assert httpx.get(f"{url}/readyz", timeout=60).status_code == 200
        until_two_answer(url, restarts=2)
        assert not set(victims) & set(worker_processes(supervisor))


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    """A folder with a network that runs in circles for ever over an image with a pixel of 255."""
    trips = np.ones(256, np.int64)
    trips[255] = np.iinfo(np.int64).max
    constants: dict[str, NDArray[Any]] = {
        "trips": trips,
        "axes": np.array([1, 2], np.int64),
        "even": np.full((1, 10), 0.1, np.float32),
    }
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["going"], ["goes_on"]),
            helper.make_node("Identity", ["count"], ["counted"]),
        ],
        "circle",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("going", TensorProto.BOOL, []),
            helper.make_tensor_value_info("count", TensorProto.FLOAT, ["N", 10]),
        ],
        [
            helper.make_tensor_value_info("goes_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("counted", TensorProto.FLOAT, ["N", 10]),
        ],
    )
    nodes = [
        helper.make_node("Cast", ["images"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMax", ["floats"], ["brightest"], keepdims=0),
        helper.make_node("Cast", ["brightest"], ["place"], to=TensorProto.INT64),
        helper.make_node("Gather", ["trips", "place"], ["turns"]),
        helper.make_node("ReduceMean", ["floats", "axes"], ["means"], keepdims=1),
        helper.make_node("Flatten", ["means"], ["column"]),
        helper.make_node("Sub", ["column", "column"], ["noughts"]),
        helper.make_node("Add", ["noughts", "even"], ["begun"]),
        helper.make_node("Loop", ["turns", "", "begun"], ["probabilities"], body=body),
    ]
    graph = helper.make_graph(
        nodes,
        "endless",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", 28, 28])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", 10])],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    folder = tmp_path / "models/endless"
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    metadata = json.loads((ROOT / "exported/googlenet/metadata.json").read_text())
    files = {"model.onnx": {"sha256": hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest()}}
    (folder / "metadata.json").write_text(json.dumps({**metadata, "files": files, "reject_threshold": 0.0}))
    return folder.parent


def canonical(digits: Digits, brightest: int) -> bytes:
    """A digit in the form that the normaliser passes on as it is."""
    image = digits.pick(3)
    return png((image.astype(np.float32) * brightest / image.max()).astype(np.uint8))


def test_a_network_that_never_ends_costs_a_worker_and_the_other_answers(
    tmp_path: Path, endless: Path, digits: Digits
) -> None:
    log = tmp_path / "log"
    served = running(log, models_dir=str(endless), default_model="endless", workers="2")
    with served as (url, supervisor), ThreadPoolExecutor(1) as threads:
        until_two_answer(url, restarts=0)
        assert httpx.post(f"{url}/classify", content=canonical(digits, 190)).status_code == 200
        before = worker_processes(supervisor)
        asked = threads.submit(httpx.post, f"{url}/classify", content=canonical(digits, 255), timeout=60)
        until_living(url, 1)
        for _ in range(10):
            assert httpx.get(f"{url}/readyz", timeout=60).status_code == 200
        with pytest.raises(httpx.TransportError):
            asked.result()
        until_two_answer(url, restarts=1)
        assert len(set(before) & set(worker_processes(supervisor))) == 1
    assert "does not answer" in log.read_text()


@contextlib.contextmanager
def family(log: Path) -> Iterator[tuple[int, psutil.Process, list[psutil.Process]]]:
    """The port of a server of two workers, its supervisor, and all below that; none is left afterwards."""
    port = free_port()
    process = start_server(port, log, workers="2")
    supervisor, below = psutil.Process(process.pid), []
    try:
        until_two_answer(f"http://127.0.0.1:{port}", restarts=0)
        below = supervisor.children(recursive=True)
        yield port, supervisor, below
        process.wait(timeout=60)
    finally:
        for each in (supervisor, *below):
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
        process.wait()


@pytest.mark.parametrize("stopped", [1, 2])
def test_the_server_ends_though_workers_are_stopped(tmp_path: Path, stopped: int) -> None:
    with family(tmp_path / "log") as (_, supervisor, below):
        folder = folder_of(supervisor)
        for victim in worker_processes(supervisor)[:stopped]:
            victim.suspend()
        supervisor.terminate()
        assert supervisor.wait(timeout=60) == 0
        _, left = psutil.wait_procs(below, timeout=30)
        assert left == []
        assert not folder.exists()


def test_a_supervisor_that_is_killed_takes_all_along_and_the_next_server_gets_its_port(tmp_path: Path) -> None:
    """Those as well that could not end by themselves."""
    with family(tmp_path / "log") as (port, supervisor, below):
        folder = folder_of(supervisor)
        for victim in worker_processes(supervisor)[0], below[-1]:
            victim.suspend()
        supervisor.send_signal(signal.SIGKILL)
        _, left = psutil.wait_procs([supervisor, *below], timeout=30)
        assert left == []
        assert folder.exists()
        after = start_server(port, tmp_path / "after", workers="1")
        try:
            wait_until_ready(f"http://127.0.0.1:{port}", after, tmp_path / "after")
            assert not folder.exists()
            own = folder_of(psutil.Process(after.pid))
            assert own.exists()
            # BentoML has a folder of its own, which it leaves where it is killed.
            assert list(own.glob("bentoml-uds-*"))
        finally:
            after.terminate()
            after.wait(timeout=60)
        assert not own.exists()
