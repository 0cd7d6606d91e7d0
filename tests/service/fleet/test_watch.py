"""Of real processes that beat on a real board: who is stopped, waits or runs in circles hangs; the held up do not."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.fleet.board import PROCESS, read_heads
from service.fleet.watch import INTERVAL, LATE, PATIENCE, Watch
from tests.harness import ROOT, wait_until

LONGEST_START = 3600.0

# A worker as the board sees it: beats until its input ends, and then does what it is told.
WORKER = """
import sys, threading, time
from pathlib import Path
from service.fleet.board import Board
board = Board(5, Path(sys.argv[1]), 2, int(sys.argv[2]))
board.begin()
told = []
threading.Thread(target=lambda: told.append(sys.stdin.readline()), daemon=True).start()
while not told:
    board.beat(0)
    time.sleep(0.02)
exec(told[0])
"""


@contextlib.contextmanager
def worker(board: Path, number: int) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-c", WORKER, str(board), str(number)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, text=True) as process:
        try:
            wait_until(lambda: board.exists() and process.pid in [head[PROCESS] for head in read_heads(board, 2)])
            yield process
        finally:
            process.kill()


def tell(process: "subprocess.Popen[str]", what: str) -> None:
    assert process.stdin is not None
    process.stdin.write(what + "\n")
    process.stdin.flush()


Workers = list["subprocess.Popen[str]"]


def look(watched: Watch, workers: Workers, seconds: float = INTERVAL) -> set[int]:
    """Every process that was said to hang, at one of the looks."""
    end = time.monotonic() + seconds
    found: set[int] = set()
    while time.monotonic() < end:
        found.update(watched.hung([each.pid for each in workers]))
        time.sleep(INTERVAL)
    return found


@pytest.mark.parametrize("does", ["stopped", "threading.Event().wait()", "while True: pass"])
def test_one_that_does_not_beat_hangs_and_the_other_does_not(tmp_path: Path, does: str) -> None:
    with worker(tmp_path / "board", 1) as one, worker(tmp_path / "board", 2) as other:
        watched = Watch(tmp_path / "board", 2, LONGEST_START)
        assert look(watched, [one, other], 1) == set()
        if does == "stopped":
            one.send_signal(signal.SIGSTOP)
        else:
            tell(one, does)
        wait_until(lambda: look(watched, [one, other]) == {one.pid})


def test_one_that_stops_or_has_died_does_not_hang(tmp_path: Path) -> None:
    with worker(tmp_path / "board", 1) as stopping, worker(tmp_path / "board", 2) as dead:
        watched = Watch(tmp_path / "board", 2, LONGEST_START)
        tell(stopping, "board.end(); time.sleep(60)")
        dead.kill()  # and is not waited for
        assert look(watched, [stopping, dead], PATIENCE + 1) == set()


def test_one_that_starts_hangs_once_it_has_had_its_time(tmp_path: Path) -> None:
    own = os.getpid()
    watched = Watch(tmp_path / "board", 2, longest_start=1)
    assert watched.hung([own]) == []
    wait_until(lambda: watched.hung([own]) == [own])


def test_whoever_looks_late_gives_all_of_them_their_time_anew(tmp_path: Path) -> None:
    """The machine was suspended, or starved."""
    with worker(tmp_path / "board", 1) as one:
        watched = Watch(tmp_path / "board", 2, LONGEST_START)
        one.send_signal(signal.SIGSTOP)
        assert look(watched, [one], 1) == set()
        time.sleep(PATIENCE + LATE)
        assert watched.hung([one.pid]) == []
        wait_until(lambda: look(watched, [one]) == {one.pid})


@pytest.mark.skipif(sys.platform != "linux", reason="processes are starved as Linux does it")
def test_one_that_does_not_get_the_processor_does_not_hang(tmp_path: Path) -> None:
    """Beside one that takes it all it has a three-hundredth."""
    with worker(tmp_path / "board", 1) as starved, worker(tmp_path / "board", 2) as greedy:
        for process in (starved, greedy):
            os.sched_setaffinity(process.pid, {min(os.sched_getaffinity(0))})
        tell(greedy, "board.end(); exec('while True: pass')")
        os.sched_setscheduler(starved.pid, os.SCHED_IDLE, os.sched_param(0))
        tell(starved, "while True: pass")
        watched = Watch(tmp_path / "board", 2, LONGEST_START)
        assert look(watched, [starved], 2 * PATIENCE) == set()
        greedy.kill()
        wait_until(lambda: look(watched, [starved]) == {starved.pid})
