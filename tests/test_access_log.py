"""The log of a real server: a line for each request, with what an operator looks for and nothing private."""

import contextlib
import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests.harness import (
    BENTOML,
    ROOT,
    Digits,
    end,
    exchange,
    free_port,
    metric,
    png,
    serving,
    wait_until,
    wait_until_ready,
)

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
STAGES = ["read", "decode", "normalise", "queue", "inference", "total"]


def lines(log: Path, count: int) -> list[dict[str, Any]]:
    """At least so many, of all but the looks whether it is ready."""
    found: list[dict[str, Any]] = []
    for _ in range(200):
        whole = [line for line in log.read_text().splitlines(keepends=True) if line.endswith("\n")]
        found = [json.loads(line) for line in whole if line.startswith("{")]
        found = [line for line in found if line.get("path") != "/readyz"]
        if len(found) >= count:
            return found
        time.sleep(0.05)
    pytest.fail(f"{len(found)} lines of {count}")


def test_what_a_line_says(tmp_path: Path, digits: Digits) -> None:
    log = tmp_path / "log"
    with serving(log, access_log="json", workers="2") as url:
        sent = {"x-request-id": "mine-1", "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
        picture = ("secret-name.png", png(digits.pick(3)))
        answer = httpx.post(f"{url}/classify?model=alexnet", files={"f": picture}, headers=sent)
        assert answer.headers["x-request-id"] == "mine-1"
        several = [("f", ("a.png", png(digits.pick(1)))), ("f", ("b.png", b"no picture"))]
        httpx.post(f"{url}/classify", files=several, headers={"x-request-id": "mine-2"})
        blank = png(np.zeros((28, 28), np.uint8))
        httpx.post(f"{url}/classify", content=blank, headers={"x-request-id": "mine-3"})
        httpx.post(f"{url}/classify", content=b"", headers={"x-request-id": "mine-4"})
        httpx.get(f"{url}/%0d%0a%1b[2J{'x' * 1000}?key=secret", headers={"x-request-id": "mine-5"})
        httpx.put(f"{url}/classify/secret.png", content=blank, headers={"x-request-id": "mine-6"})
        httpx.put(f"{url}/%63lassify/of/secret.png", content=blank, headers={"x-request-id": "mine-7"})
        ((_, broken, _),) = exchange(url, b"no HTTP\r\n\r\n")
        found = {line["request_id"]: line for line in lines(log, 8)}
    one = found["mine-1"]
    assert (one["method"], one["path"], one["status"], one["client"]) == ("POST", "/classify", 200, "127.0.0.1")
    assert (one["trace_id"], one["model"], one["images"], one["outcomes"]) == (TRACE, "alexnet", 1, {"accepted": 1})
    assert (one["digit"], one["confidence"], one["reason"]) == (3, answer.json()["confidence"], None)
    assert (one["bytes"], one["upload_bytes"]) == (len(answer.content), len(picture[1]))
    assert list(one["latency_ms"]) == STAGES
    assert 0 < one["latency_ms"]["total"] < 1000 * one["seconds"] + 0.01
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", one["time"])
    assert found["mine-2"]["outcomes"] == {"accepted": 1, "error": 1}
    assert "digit" not in found["mine-2"]
    assert (found["mine-3"]["digit"], found["mine-3"]["reason"]) == (None, "blank")
    assert (found["mine-4"]["status"], found["mine-4"]["model"]) == (400, "googlenet")
    assert "images" not in found["mine-4"]
    assert found["mine-5"]["path"].startswith("/%0d%0a%1b")
    assert len(found["mine-5"]["path"]) == 256
    assert [(found[name]["path"], found[name]["status"]) for name in ("mine-6", "mine-7")] == [
        ("/classify/…", 200),
        ("/classify/…", 404),
    ]
    assert found[broken["x-request-id"]]["status"] == 400
    assert "secret" not in log.read_text()


def test_those_of_both_workers_are_whole_and_none_is_lost(tmp_path: Path, digits: Digits) -> None:
    log = tmp_path / "log"
    body = png(digits.pick(7))
    with serving(log, access_log="json", workers="2") as url, ThreadPoolExecutor(8) as clients:
        asked = 0
        made: set[str] = set()
        while len(made) < 2 and asked < 6000:  # a random beginning for each process
            answers = list(clients.map(lambda _: httpx.post(f"{url}/classify", content=body), range(300)))
            made |= {answer.headers["x-request-id"].split("-")[0] for answer in answers}
            asked += len(answers)
    found = lines(log, asked)
    assert Counter(line["digit"] for line in found) == {7: asked}
    assert {line["request_id"].split("-")[0] for line in found} == made
    assert len(made) == 2
    assert len({line["request_id"] for line in found}) == asked


def test_nothing_is_logged_unless_asked_for(tmp_path: Path, digits: Digits) -> None:
    log = tmp_path / "log"
    with serving(log) as url:
        httpx.post(f"{url}/classify", content=png(digits.pick(7)))
    assert "{" not in log.read_text()


@contextlib.contextmanager
def unread(errors: Path, **settings: str) -> Iterator[tuple[str, int]]:
    """A server with an access log whose standard output is a pipe: its URL, and the end that nobody reads."""
    port = free_port()
    output, own = os.pipe()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("NUMERAL_")}
    given = {"NUMERAL_ACCESS_LOG": "json", "BENTOML_DO_NOT_TRACK": "True"}
    given |= {f"NUMERAL_{name.upper()}": value for name, value in settings.items()}
    command = [str(BENTOML), "serve", "--host", "127.0.0.1", "--port", str(port), "."]
    with errors.open("wb") as error_file:
        process = subprocess.Popen(command, cwd=ROOT, env=inherited | given, stdout=own, stderr=error_file)
    os.close(own)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_ready(url, process, errors)
        yield url, output
    finally:
        end(process)
    assert process.returncode == 0


def lost_lines(client: httpx.Client) -> float:
    return metric(client.get("/metrics").text, 'numeral_access_log_dropped_total{cause="failed"}')


@pytest.mark.parametrize("reader", ["gone", "asleep"])
def test_a_reader_that_is_gone_or_asleep_harms_no_request(tmp_path: Path, digits: Digits, reader: str) -> None:
    """It answers, counts what is lost, and ends."""
    with unread(tmp_path / "log", workers="2") as (url, output):
        if reader == "gone":
            os.close(output)
        body = png(digits.pick(4))
        with httpx.Client(base_url=url) as client:
            for _ in range(400):  # at some 400 bytes each more than a pipe holds
                answer = client.post("/classify", content=body, headers={"x-request-id": "x" * 128})
                assert answer.json()["digit"] == 4
            if reader == "gone":
                wait_until(lambda: lost_lines(client) > 100)
            else:
                assert lost_lines(client) == 0
    if reader == "asleep":
        os.close(output)


def test_without_a_standard_output_it_does_not_start(tmp_path: Path) -> None:
    environment = {**os.environ, "NUMERAL_ACCESS_LOG": "json"}
    command = f"exec {sys.executable} -m service.check >&-"
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert "NUMERAL_ACCESS_LOG is 'json', and there is no standard output" in done.stderr
