"""Tells which workers hang: their process lives, and its event loop has stopped turning.

Each beats on the board ten times a second. One that was stopped, waits for what never comes or runs in circles does
not; nor does one whose turn has not come. So a worker is given its time anew where this process itself was late to
look, as the machine was suspended or starved; and where it could run, what counts is the processor's time that it got.
One that stops need not beat, and one that starts has not begun to; that may take several times as long as it took the
supervisor to try all that a worker does at its start.
"""

import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import psutil

from service.fleet.board import BEAT, PROCESS, read_heads

# Seconds between two looks, and after which one was late.
INTERVAL = 0.25
LATE = 1.0

# Seconds without a beat after which a worker hangs: ten times what the largest batch takes on a CPU.
PATIENCE = 2.5

# States of a process that goes on as soon as it is let.
HELD_UP = (psutil.STATUS_RUNNING, psutil.STATUS_DISK_SLEEP)
HELD_UP_STATES = ("R", "D")
ENDED = (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)


class Silence(NamedTuple):
    """When a worker was first seen not to have beaten, and the processor's time that it had had by then: seconds."""

    began: float
    cpu: float


class Watch:
    """board: the file. longest_start: seconds. To be asked every `INTERVAL`."""

    def __init__(self, board: Path, workers: int, longest_start: float) -> None:
        self._board = board
        self._workers = workers
        self._longest_start = longest_start
        self._looked = time.monotonic()
        # By the id of the process, since when it starts; None of one that has begun to beat.
        self._starts: dict[int, float | None] = {}
        # By the id of the process, as of the last look.
        self._beats: dict[int, float] = {}
        self._silent: dict[int, Silence] = {}

    def hung(self, processes: Iterable[int]) -> list[int]:
        """Those of the workers' processes that do."""
        now = time.monotonic()
        if now - self._looked > LATE:
            self._beats, self._starts = {}, {}
        self._looked = now
        before, self._beats = self._beats, self._read()
        living = list(processes)
        still = [process for process in living if process in before and before[process] == self._beats.get(process)]
        self._silent = {process: self._silent.get(process) or Silence(now, cpu_seconds(process)) for process in still}
        silent = [process for process, silence in self._silent.items() if hangs(process, silence, now)]
        return silent + self._late_starts(living, now)

    def _late_starts(self, living: list[int], now: float) -> list[int]:
        starts = {process: self._starts.get(process, now) for process in living}
        self._starts = {process: None if process in self._beats else start for process, start in starts.items()}
        late = [process for process, start in self._starts.items() if start and now - start > self._longest_start]
        return [process for process in late if status(process) not in ENDED]

    def _read(self) -> dict[int, float]:
        try:
            heads = read_heads(self._board, self._workers)
        except OSError:  # no worker has begun
            return {}
        return {int(head[PROCESS]): head[BEAT] for head in heads if head[PROCESS]}


def hangs(process: int, silence: Silence, now: float) -> bool:
    if now - silence.began < PATIENCE:
        return False
    if is_held_up(process):
        return cpu_seconds(process) - silence.cpu > PATIENCE
    return status(process) not in ENDED


def is_held_up(process: int) -> bool:
    """Whether a thread of it goes on as soon as it is let; psutil knows of the first alone."""
    if sys.platform != "linux":
        return status(process) in HELD_UP
    return any(state_of(thread) in HELD_UP_STATES for thread in Path(f"/proc/{process}/task").glob("*"))


def state_of(thread: Path) -> str:
    """A letter (proc_pid_stat(5)), "" of one that has ended. thread: its folder."""
    try:
        return (thread / "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def status(process: int) -> str:
    try:
        return str(psutil.Process(process).status())
    except psutil.Error:
        return str(psutil.STATUS_DEAD)


def cpu_seconds(process: int) -> float:
    """0 of one that has ended."""
    try:
        times = psutil.Process(process).cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)
