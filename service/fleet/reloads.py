"""Has the workers change to other models while they serve, as SIGHUP or a request asks for it. In the supervisor.

What is asked for while a reload runs is done by one more behind it, however often it was asked.
"""

import asyncio
import atexit
import contextlib
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Iterable
from pathlib import Path

import numpy as np

from service.fleet import generation, outcome
from service.fleet.board import GENERATION, HEADER, REFUSED, Numbers, read_heads
from service.fleet.outcome import ALL, Outcome
from service.settings import ROOT

# In the shared folder.
SOCKET = "reloads"

# A file's name has 255 at most.
NAME_BYTES = 256

STAYS = "all stays as it was"

# Of askers who wait.
BACKLOG = 16

# Seconds: to try all models, and for the next worker to change, which may have to be started anew.
LONGEST_TRIAL = 300
LONGEST_CHANGE = 300

# Between two looks at the board.
INTERVAL = 0.05


class Reloads:
    """In a thread of its own, from `start` on. `workers`: how many there are."""

    def __init__(self, shared: Path, workers: int) -> None:
        self._shared = shared
        self._workers = workers
        self._number = generation.FIRST
        self._trial: subprocess.Popen[bytes] | None = None
        self._ended = threading.Event()

    def start(self) -> None:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self._shared / SOCKET))
        self._listener.listen(BACKLOG)
        self._thread = threading.Thread(target=self._serve, name="reloads", daemon=True)
        self._thread.start()
        # Before the folder goes, as both write to it.
        atexit.register(self._end)

    def ask(self) -> None:
        """Of all models. Returns at once."""
        with socket.socket(socket.AF_UNIX) as asker:
            asker.setblocking(False)
            try:
                asker.connect(str(self._shared / SOCKET))
            except BlockingIOError:  # enough wait, and what they come to will be this one's too
                return
            asker.send(b"\n")

    def _end(self) -> None:
        self._ended.set()
        with contextlib.suppress(OSError):
            self.ask()  # so that it wakes
        if self._trial:
            self._trial.kill()
        self._thread.join()

    def _serve(self) -> None:
        while (askers := self._askers()) and not self._ended.is_set():
            models = [read_model(asker) for asker in askers]
            try:
                # One that asks for all is asking for each of the others too.
                came_to = self._reload(models if all(models) else [])
            except (OSError, ValueError, MemoryError) as error:
                came_to = Outcome({}, {ALL: f"{str(error) or 'no memory is left'}; {STAYS}"})
            if self._ended.is_set():
                return
            with contextlib.suppress(OSError):  # a full disk ends no more than a count
                outcome.count(self._shared, came_to.result)
            tell(came_to)
            for asker in askers:
                answer(asker, came_to)

    def _askers(self) -> list[socket.socket]:
        """All who wait, once somebody does; nobody where the server ends."""
        askers: list[socket.socket] = []
        while not self._ended.is_set() and (not askers or select.select([self._listener], [], [], 0)[0]):
            try:
                askers.append(self._listener.accept()[0])
            except OSError:  # no file descriptor is left at the moment
                self._ended.wait(1)
        return askers

    def _reload(self, models: Collection[str]) -> Outcome:
        """Raises OSError where there is no process, or no room in the shared folder."""
        before = generation.current(self._shared)
        self._number += 1
        tried = self._try(models)
        if not tried.changed:
            generation.keep_only(self._shared, before)
            return tried
        generation.publish(self._shared, self._number)
        if not (failure := self._change_to(self._number)):
            generation.keep_only(self._shared, self._number)
            return tried
        generation.publish(self._shared, before)
        again = self._change_to(before)
        generation.keep_only(self._shared, before)
        failure = f"{failure}; " + (f"not all is as it was: {again}" if again else STAYS)
        return Outcome({}, {**tried.refused, **dict.fromkeys(tried.changed, failure)}, rolled_back=True)

    def _try(self, models: Collection[str]) -> Outcome:
        """By what the process writes, as BentoML's arbiter may take its exit status from under us."""
        command = [sys.executable, "-m", "service.renew", str(self._number), *models]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as self._trial:  # noqa: S603  # ourselves
            try:
                if self._ended.is_set():
                    self._trial.kill()
                written, _ = self._trial.communicate(timeout=LONGEST_TRIAL)
                return Outcome.parse(written.splitlines()[-1])
            except subprocess.TimeoutExpired:
                return Outcome({}, {ALL: f"what tries new models was not done in {LONGEST_TRIAL} s; {STAYS}"})
            except (IndexError, ValueError):
                return Outcome(
                    {}, {ALL: f"what tries new models ended without a word, for want of memory perhaps; {STAYS}"}
                )
            finally:
                self._trial.kill()

    def _change_to(self, number: int) -> str | None:
        """Returns when all answers are by that generation, or why not all are."""
        changed, end = 0, time.monotonic() + LONGEST_CHANGE
        while True:
            heads = self._heads()
            if (heads[:, GENERATION] == number).all():
                return None
            if (refused := heads[:, REFUSED] == number).any():
                return f"{named(refused)} could not load what was found good; the log says why"
            if time.monotonic() > end:
                return f"{named(heads[:, GENERATION] != number)} did not change within {LONGEST_CHANGE} s"
            if changed < (changed := int(np.count_nonzero(heads[:, GENERATION] == number))):
                end = time.monotonic() + LONGEST_CHANGE
            if self._ended.wait(INTERVAL):
                return "the server ends"

    def _heads(self) -> Numbers:
        """Of the workers; unknown ones where the board cannot be read at the moment."""
        try:
            return read_heads(self._shared / "board", self._workers)
        except OSError:
            return np.zeros((self._workers, HEADER))


def named(workers: Iterable[bool]) -> str:
    return "worker " + ", ".join(str(number) for number, is_meant in enumerate(workers, start=1) if is_meant)


def read_model(asker: socket.socket) -> str:
    """A line with its name, or an empty one."""
    asker.settimeout(1)
    try:
        return asker.recv(NAME_BYTES).decode().strip()
    except (OSError, ValueError):
        return ALL


def answer(asker: socket.socket, came_to: Outcome) -> None:
    """One that has gone need not know."""
    with asker, contextlib.suppress(OSError):
        asker.sendall(came_to.text())


def tell(came_to: Outcome) -> None:
    """To whoever operates the server, a line each."""
    lines = [f"reload refused: {why}" for why in dict.fromkeys(came_to.refused.values())]
    if came_to.changed:
        lines.append("reloaded: " + ", ".join(f"{name} {sha256[:12]}" for name, sha256 in came_to.changed.items()))
    with contextlib.suppress(OSError, ValueError):  # nobody reads it any more
        for line in lines or ["reloaded: nothing, as no model has changed"]:
            sys.stderr.write(f"numeral: {line}\n")


async def ask(shared: Path, model: str) -> Outcome:
    """What became of a reload of one model. Raises OSError where the supervisor cannot be asked."""
    reader, writer = await asyncio.open_unix_connection(shared / SOCKET)
    try:
        writer.write(f"{model}\n".encode())
        return Outcome.parse(await reader.readline())
    except ValueError as error:
        raise OSError("the supervisor ended") from error
    finally:
        writer.close()
