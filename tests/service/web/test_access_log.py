"""Lines are written whole and in their order; a reader that is slow or gone holds up nobody."""

import json
import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from service.web import access_log
from service.web.access_log import MOST_LINES, AccessLog


def entry(number: int, path: str = "/") -> dict[str, Any]:
    return {"request_id": str(number), "path": path}


def until(true: Callable[[], bool]) -> None:
    for _ in range(1000):
        if true():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come to pass")


def read_all(reader: int) -> bytes:
    with os.fdopen(reader, "rb") as pipe:
        return pipe.read()


def test_lines_are_json_whole_and_in_their_order() -> None:
    reader, writer = os.pipe()
    dropped: Counter[str] = Counter()
    log = AccessLog(writer, lambda why: dropped.update([why]))
    for number in range(100):
        log.write(entry(number, path='/"\n' * 30))
    log.close()
    os.close(writer)
    lines = [json.loads(line) for line in read_all(reader).splitlines()]
    assert lines == [entry(number, path='/"\n' * 30) for number in range(100)]
    assert not dropped


def test_those_of_several_workers_are_not_mixed() -> None:
    reader, writer = os.pipe()
    received: list[bytes] = []
    thread = threading.Thread(target=lambda: received.append(read_all(reader)))
    thread.start()
    logs = [AccessLog(writer, lambda _: None) for _ in range(3)]
    for number in range(1000):
        for log in logs:
            log.write(entry(number, path="/" * 200))
    for log in logs:
        log.close()
    os.close(writer)
    thread.join()
    counts = Counter(json.loads(line)["request_id"] for line in received[0].splitlines())
    assert counts == {str(number): 3 for number in range(1000)}


def test_a_reader_that_sleeps_holds_nobody_up_and_what_is_lost_is_counted() -> None:
    reader, writer = os.pipe()
    dropped: Counter[str] = Counter()
    log = AccessLog(writer, lambda why: dropped.update([why]))
    log.write(entry(0, path="/" * 60_000))
    until(lambda: not log._lines)
    for number in range(MOST_LINES + 2000):
        log.write(entry(number))
    assert dropped["full"] >= 1000
    assert len(log._lines) <= MOST_LINES
    received: list[bytes] = []
    thread = threading.Thread(target=lambda: received.append(read_all(reader)))
    thread.start()
    until(lambda: not log._lines)
    log.write(entry(-1))
    log.close()
    os.close(writer)
    thread.join()
    lines = [json.loads(line)["request_id"] for line in received[0].splitlines()]
    assert lines[-1] == "-1"
    assert len(lines) + dropped["full"] == 1 + MOST_LINES + 2000 + 1


def test_a_reader_that_has_gone_costs_the_lines_alone() -> None:
    reader, writer = os.pipe()
    dropped: Counter[str] = Counter()
    log = AccessLog(writer, lambda why: dropped.update([why]))
    os.close(reader)
    for number in range(10):
        log.write(entry(number))
    until(lambda: dropped["failed"] == 10)
    log.close()
    os.close(writer)


def test_the_end_of_a_worker_does_not_wait_for_a_reader(monkeypatch: Any) -> None:
    monkeypatch.setattr(access_log, "CLOSE_SECONDS", 0.2)
    reader, writer = os.pipe()
    log = AccessLog(writer, lambda _: None)
    log.write(entry(0, path="/" * 200_000))
    log.close()
    assert log._thread.is_alive()
    read = threading.Thread(target=read_all, args=(reader,))
    read.start()
    log._thread.join(10)
    os.close(writer)
    read.join()


def test_a_pipe_that_does_not_block_loses_nothing() -> None:
    """As somebody with the same standard output may have made it."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    received: list[bytes] = []
    dropped: Counter[str] = Counter()
    log = AccessLog(writer, lambda why: dropped.update([why]))
    for number in range(3000):
        log.write(entry(number, path="/" * 200))
    time.sleep(0.1)
    thread = threading.Thread(target=lambda: received.append(read_all(reader)))
    thread.start()
    log.close()
    os.close(writer)
    thread.join()
    assert [json.loads(line)["request_id"] for line in received[0].splitlines()] == [str(n) for n in range(3000)]
    assert not dropped
