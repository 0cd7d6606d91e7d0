"""Reads files on all cores: a process for each, with a model of its own.

What a picture does to its decoder ends its process and not the run: the files that were with it are read again one by
one, and the one that ends a process by itself is a row with an error. A pool of concurrent.futures or loky would fail
with all that waits in it where a process ends.
"""

import os
import queue
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import loky
import orjson

from numeral.errors import RunError, UsageError
from numeral.files import File
from numeral.frames import receive, send
from numeral.rows import Row, unreadable

# From where modules are imported; where the pictures are there may be a random.py.
ROOT = Path(__file__).resolve().parent.parent

# Seconds: for a process to load its model, and for files to be read, so long and so much more for each.
LONGEST_START = 120
LONGEST = 60
LONGEST_FILE = 5


class Gone(Exception):
    """A process ended, or was ended, over its files; says why."""


class Workers:
    """`read` may be called by as many threads as there are processes. options: of `Reader`, by name."""

    def __init__(self, count: int, options: dict[str, Any], explain: bool) -> None:
        self.parallel = count
        self.model: dict[str, str] = {}
        self._options = options
        self._explain = explain
        self._closed = False
        self._idle: queue.SimpleQueue[Worker] = queue.SimpleQueue()
        self._all: set[Worker] = set()

    def start(self) -> None:
        """Returns when all are ready. Raises UsageError where the model cannot be had."""
        try:
            begun = [self._begin() for _ in range(self.parallel)]
            for worker in begun:
                self.model = worker.started()
                self._idle.put(worker)
        except RunError as error:
            self.close()
            raise UsageError(str(error)) from error

    def read(self, files: Sequence[File]) -> list[Row]:
        """In their order. Raises RunError where no process can be had."""
        try:
            return self._read(files)
        except Gone:
            if len(files) > 1:
                return [row for file in files for row in self.read([file])]
        # It may have been ended from outside, for its memory, say: another is given the same file.
        try:
            return self._read(files)
        except Gone as gone:
            return [unreadable(files[0].name, str(gone), self.model)]

    def close(self) -> None:
        self._closed = True
        for worker in list(self._all):
            worker.kill()

    def _read(self, files: Sequence[File]) -> list[Row]:
        worker = self._idle.get()
        try:
            return worker.read(files, self._explain)
        except Gone:
            worker.kill()
            self._all.discard(worker)
            worker = self._begin()
            worker.started()
            raise
        finally:
            self._idle.put(worker)

    def _begin(self) -> "Worker":
        if self._closed:
            raise RunError("the run was ended")
        worker = Worker(self._options)
        self._all.add(worker)
        return worker


class Worker:
    """It begins as this is made."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._socket, theirs = socket.socketpair()
        try:
            with theirs:
                self._process = subprocess.Popen(  # noqa: S603  # ourselves
                    [sys.executable, "-m", "numeral.worker", str(theirs.fileno()), orjson.dumps(options).decode()],
                    cwd=ROOT,
                    env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
                    stdin=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                    # Ctrl-C is for the process that a user started; this one ends with its socket.
                    process_group=0,
                )
        except OSError as error:
            self._socket.close()
            raise RunError(f"no process can be started: {error}") from error

    def started(self) -> dict[str, str]:
        """The model that it has loaded. Raises RunError."""
        self._socket.settimeout(LONGEST_START)
        try:
            said = receive(self._socket)
        except (EOFError, OSError) as error:
            raise RunError(f"a process that reads pictures does not start: {error}") from error
        if "error" in said:
            raise RunError(said["error"])
        model: dict[str, str] = said["model"]
        return model

    def read(self, files: Sequence[File], explain: bool) -> list[Row]:
        """Raises Gone."""
        seconds = LONGEST + LONGEST_FILE * len(files)
        self._socket.settimeout(seconds)
        try:
            send(self._socket, {"paths": [as_text(file.path) for file in files], "explain": explain})
            answer = receive(self._socket)
        except TimeoutError as error:
            raise Gone(f"the image takes more than {seconds} s to read, which is the limit") from error
        except (EOFError, OSError) as error:
            raise Gone("the image brings its decoder down") from error
        if "error" in answer:
            raise Gone(answer["error"])
        return [{**row, "file": file.name} for row, file in zip(answer["rows"], files, strict=True)]

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._socket.close()


def as_text(path: str) -> str:
    """JSON has no bytes, of which a path consists."""
    return os.fsencode(path).decode("latin-1")


def cores() -> int:
    """That this process may use, by affinity and by the limits of its cgroup."""
    available: int = loky.cpu_count()
    return available
