"""The models of a real server are changed while it serves: no connection is lost, and what is bad is not taken."""

import contextlib
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from service.fleet import generation, shared_folder
from service.fleet.board import GENERATION, read_heads
from tests.artefacts import FILE, change_metadata, constant, put_model, renew, ship
from tests.harness import Digits, metric, png, running, wait_until

# Seconds, on a machine that has much else to do.
PATIENCE = 300


@dataclass(frozen=True)
class Server:
    url: str
    supervisor: psutil.Process
    models: Path
    log: Path

    def lines(self) -> list[str]:
        return [line for line in self.log.read_text().splitlines() if line.startswith("numeral: reload")]

    def reload(self) -> str:
        """The line that says what became of it."""
        before = len(self.lines())
        self.supervisor.send_signal(signal.SIGHUP)
        wait_until(lambda: len(self.lines()) > before, PATIENCE)
        return self.lines()[before]

    def shared(self) -> Path:
        return Path(self.workers()[0].environ()[shared_folder.VARIABLE])

    def workers(self) -> list[psutil.Process]:
        """In the order of their numbers."""
        ids = {one: int(line[line.index("--worker-id") + 1]) for one, line in self.children() if "--worker-id" in line}
        return sorted(ids, key=ids.__getitem__)

    def is_trying(self) -> bool:
        return any("service.renew" in line for _, line in self.children())

    def children(self) -> Iterator[tuple[psutil.Process, list[str]]]:
        """With their command lines."""
        for child in self.supervisor.children():
            with contextlib.suppress(psutil.NoSuchProcess):  # it has just ended
                yield child, child.cmdline()

    def generations(self) -> list[float]:
        heads: list[float] = read_heads(self.shared() / "board", 2)[:, GENERATION].tolist()
        return heads

    def folders(self) -> set[str]:
        return {path.name for path in (self.shared() / generation.FOLDER).iterdir()} - {generation.CURRENT}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("reload")
    models = ship(folder / "models", "googlenet", "alexnet")
    with running(folder / "log", workers="2", precision="fp32", models_dir=str(models)) as (url, supervisor):
        yield Server(url, supervisor, models, folder / "log")


def identity(answer: dict[str, Any]) -> tuple[str, float]:
    """By what it was answered; fails where that is of more than one model."""
    receipt = answer["receipt"]
    assert answer["model"]["sha256"] == receipt["model"]
    return receipt["model"], receipt["threshold"]


def ask(server: Server, digits: Digits, times: int = 6) -> set[tuple[str, float]]:
    """Over a connection each, so that both workers are asked."""
    body = png(digits.pick(3))
    answers = [httpx.post(f"{server.url}/classify", content=body, timeout=60).json() for _ in range(times)]
    assert {answer["digit"] for answer in answers} == {3}
    return {identity(answer) for answer in answers}


def test_models_change_under_load_without_an_error(server: Server, digits: Digits) -> None:
    """Small pictures are read in the worker, larger ones in processes of their own; several make batches that wait."""
    small, large = png(digits.pick(3)), png(digits.pick(3).repeat(8, axis=0).repeat(8, axis=1))
    seen: list[tuple[float, int, tuple[str, float]]] = []
    stopping = threading.Event()

    def keep_asking(number: int) -> None:
        files = [("f", (f"{each}.png", large if number % 2 else small)) for each in range(3)]
        with httpx.Client(base_url=server.url, timeout=60) as client:
            while not stopping.is_set():
                begin = time.monotonic()
                response = client.post("/classify", files=files)
                (by,) = {identity(answer) for answer in response.json()}
                seen.append((begin, response.status_code, by))

    changes = []
    with ThreadPoolExecutor(4) as clients:
        askers = [clients.submit(keep_asking, number) for number in range(4)]
        try:
            for version in range(1, 4):
                new = renew(server.models / "googlenet", version)
                assert server.reload() == f"numeral: reloaded: googlenet {new[0][:12]}"
                changes.append((time.monotonic(), new))
                before = len(seen)
                wait_until(lambda before=before: len(seen) > before + 20, PATIENCE)  # type: ignore[misc]
        finally:
            stopping.set()
        for asker in askers:
            asker.result()
    assert {status for _, status, _ in seen} == {200}
    versions = [new for _, new in changes]
    assert set(versions) <= {by for _, _, by in seen}
    for number, (changed, _) in enumerate(changes):
        later = {by for begin, _, by in seen if begin > changed}
        assert later <= set(versions[number:])
    assert len(server.folders()) == 1
    assert ask(server, digits) == {versions[-1]}


def test_nothing_new_changes_nothing(server: Server, digits: Digits) -> None:
    before = ask(server, digits)
    assert server.reload() == "numeral: reloaded: nothing, as no model has changed"
    assert ask(server, digits) == before


def cut(folder: Path) -> None:
    content = (folder / FILE).read_bytes()
    (folder / FILE).write_bytes(content[: len(content) // 2])


def no_metadata(folder: Path) -> None:
    (folder / "metadata.json").unlink()


def half_metadata(folder: Path) -> None:
    text = (folder / "metadata.json").read_text()
    (folder / "metadata.json").write_text(text[: len(text) // 2])


def other_hash(folder: Path) -> None:
    change_metadata(folder, files={FILE: {"sha256": "0" * 64}})


def other_labels(folder: Path) -> None:
    change_metadata(folder, labels=[str(label) for label in range(10, 20)])


def gone(folder: Path) -> None:
    shutil.rmtree(folder)


ONE = [1.0] + [0.0] * 9

BAD: dict[str, tuple[Callable[[Path], Any], str]] = {
    "half copied": (cut, "model.onnx has sha256"),
    "without metadata": (no_metadata, "metadata.json cannot be read"),
    "half the metadata": (half_metadata, "metadata.json is not what this service knows"),
    "another hash": (other_hash, f"its metadata.json says {'0' * 64}"),
    "gone": (gone, "metadata.json cannot be read"),
    "no ONNX": (lambda folder: put_model(folder, b"no network"), "is no ONNX file"),
    "another shape": (lambda folder: put_model(folder, constant(ONE, side=14)), "fails at a batch of 1"),
    "too few classes": (lambda folder: put_model(folder, constant(ONE[:9])), "gives 9 probabilities"),
    "no probabilities": (lambda folder: put_model(folder, constant([1.0] * 10)), "come to 10.000, and not to 1"),
    "reads no digits": (lambda folder: put_model(folder, constant(ONE)), "reads 2 of 20 known digits right"),
    "accepts nothing": (lambda folder: change_metadata(folder, reject_threshold=1.5), "reject_threshold is 1.5"),
    "other labels": (other_labels, "digits of 28×28 as 10, 11"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_artefact_is_refused_in_a_line_and_the_old_one_serves_on(
    server: Server, digits: Digits, tmp_path: Path, kind: str
) -> None:
    folder = server.models / "googlenet"
    spoil, said = BAD[kind]
    before = ask(server, digits)
    kept = shutil.copytree(folder, tmp_path / "kept")
    spoil(folder)
    count = len(server.lines())
    line = server.reload()
    assert line.startswith(f"numeral: reload refused: {folder}: ")
    assert said in line
    assert line.endswith("; the model that is served stays")
    assert ask(server, digits) == before
    assert len(server.lines()) == count + 1
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(kept, folder)


def test_one_that_is_bad_keeps_no_other_from_being_taken(server: Server, digits: Digits, tmp_path: Path) -> None:
    kept = shutil.copytree(server.models / "alexnet", tmp_path / "kept")
    cut(server.models / "alexnet")
    new = renew(server.models / "googlenet", 10)
    assert server.reload().startswith(f"numeral: reload refused: {server.models / 'alexnet'}: ")
    wait_until(lambda: server.lines()[-1] == f"numeral: reloaded: googlenet {new[0][:12]}")
    assert ask(server, digits) == {new}
    assert httpx.post(f"{server.url}/classify?model=alexnet", content=png(digits.pick(3))).json()["digit"] == 3
    shutil.rmtree(server.models / "alexnet")
    shutil.copytree(kept, server.models / "alexnet")


def test_a_folder_that_is_new_takes_a_restart(server: Server, digits: Digits) -> None:
    new = server.models / "alexnet@2"
    shutil.copytree(server.models / "alexnet", new)
    assert server.reload() == f"numeral: reload refused: {new}: it was not there at the start; a restart serves it"
    assert "alexnet@2" not in httpx.get(f"{server.url}/models").json()
    shutil.rmtree(new)


def test_what_comes_while_a_reload_runs_is_done_by_one_more(server: Server) -> None:
    before = len(server.lines())
    server.supervisor.send_signal(signal.SIGHUP)
    wait_until(server.is_trying, PATIENCE)
    for _ in range(8):
        server.supervisor.send_signal(signal.SIGHUP)
        time.sleep(0.02)
    wait_until(lambda: len(server.lines()) == before + 2, PATIENCE)
    time.sleep(1)
    assert not server.is_trying()
    assert len(server.lines()) == before + 2


def test_a_worker_that_is_replaced_serves_what_the_others_do(server: Server, digits: Digits) -> None:
    new = renew(server.models / "googlenet", 20)
    server.reload()
    victim = server.workers()[0]
    # The next export is none of the server's yet.
    renew(server.models / "googlenet", 21)
    victim.kill()
    victim.wait(timeout=10)
    wait_until(lambda: len(server.workers()) == 2 and victim not in server.workers(), PATIENCE)
    wait_until(lambda: httpx.get(f"{server.url}/stats", timeout=60).json()["workers"] == 2, PATIENCE)
    assert ask(server, digits, 12) == {new}


def test_where_a_worker_cannot_load_what_was_found_good_all_go_back(server: Server, digits: Digits) -> None:
    """The second is held up until the first has changed, and its copy has lost a byte by then."""
    before = ask(server, digits)
    (old,) = server.folders()
    new, _ = renew(server.models / "googlenet", 30)
    held_up = server.workers()[1]
    count = len(server.lines())
    server.supervisor.send_signal(signal.SIGHUP)
    wait_until(lambda: generation.current(server.shared()) > int(old), PATIENCE)
    with contextlib.ExitStack() as stack:
        # Not for as long as the trial took, or it would be taken for one that hangs.
        held_up.suspend()
        stack.callback(held_up.resume)
        wait_until(lambda: server.generations()[0] > float(old), PATIENCE)
        (number,) = server.folders() - {old}
        path = generation.folder(server.shared(), int(number)) / "googlenet" / FILE
        os.truncate(path, path.stat().st_size - 1)
    wait_until(lambda: len(server.lines()) > count, PATIENCE)
    assert server.lines()[count:] == [
        "numeral: reload refused: worker 2 could not load what was found good; the log says why; all stays as it was"
    ]
    assert f"generation {number} of the models cannot be loaded" in server.log.read_text()
    assert ask(server, digits, 12) == before
    assert server.folders() == {old}
    assert new[:12] not in "".join(server.lines()[count:])


def test_reloads_are_counted(server: Server) -> None:
    counted = httpx.get(f"{server.url}/metrics").text
    for result, least in (("reloaded", 4), ("unchanged", 1), ("refused", len(BAD) + 1), ("rolled_back", 1)):
        assert metric(counted, f'numeral_reloads_total{{result="{result}"}}') >= least


def test_a_worker_that_gets_the_signal_too_goes_on(server: Server, digits: Digits) -> None:
    """As where it is sent to all processes of a service."""
    before = server.workers()
    for worker in before:
        for process in [worker, *worker.children()]:
            process.send_signal(signal.SIGHUP)
    assert server.reload().startswith("numeral: reload")
    ask(server, digits)
    assert server.workers() == before


def test_a_server_that_ends_within_a_reload_leaves_nothing_behind(tmp_path: Path) -> None:
    models = ship(tmp_path / "models", "alexnet")
    log = tmp_path / "log"
    with running(log, models_dir=str(models), workers="1", default_model="alexnet") as (url, supervisor):
        ending = Server(url, supervisor, models, log)
        shared = ending.shared()
        renew(models / "alexnet", 1)
        supervisor.send_signal(signal.SIGHUP)
        wait_until(ending.is_trying, PATIENCE)
        (trial,) = [child for child, line in ending.children() if "service.renew" in line]
    assert not shared.exists()
    assert not trial.is_running()
    assert ending.lines() == []
