"""The numbers that the workers of one server show each other, in memory that all of them have mapped."""

import mmap
import os
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

NUMBER = np.dtype(np.float64).itemsize

# What each worker's row begins with. What is so now, and begins anew with each that takes the row: images and bytes of
# uploads in work, requests that are being answered, open connections, images that wait for a batch, when it was last
# heard of, the process, the generation of models that all its answers are by, and the one that it could not load.
IN_WORK, UPLOAD_BYTES, REQUESTS, CONNECTIONS, QUEUE, BEAT, PROCESS, GENERATION, REFUSED = range(9)
# How many workers have begun in it.
STARTS, HEADER = 9, 10

# Seconds without a beat after which a worker counts as dead.
SILENCE = 2.0

Numbers = NDArray[np.float64]


class Board:
    """A row of numbers for each worker, written by that worker's event loop alone and read by all.

    columns: numbers in a row beside the header. path: of the file that the workers map, None where there is only one.
    own: this worker's number, from 1. A worker that replaces another takes its row and goes on with its counts, which
    must never fall. Everything is mapped once, at the start: a worker without a file descriptor left still counts.
    """

    def __init__(self, columns: int, path: Path | None = None, workers: int = 1, own: int = 1) -> None:
        width = HEADER + columns
        memory = map_file(path, workers * width * NUMBER) if path else mmap.mmap(-1, width * NUMBER)
        self.rows: Numbers = np.frombuffer(memory, np.float64).reshape(-1, width)
        # Single numbers of a memoryview are read and written in a third of the time that numpy takes.
        first = (own - 1) * width * NUMBER
        self._header = memoryview(memory)[first : first + HEADER * NUMBER].cast("d")
        self.own = memoryview(memory)[first + HEADER * NUMBER : first + width * NUMBER].cast("d")
        self._header[:STARTS] = memoryview(bytes(STARTS * NUMBER)).cast("d")
        self.beat(0)

    def begin(self, generation: int = 0) -> None:
        """A worker is ready to answer: this process, by that generation of models."""
        self.answer_by(generation)
        self._header[PROCESS] = os.getpid()
        self._header[STARTS] += 1

    def answer_by(self, generation: int) -> None:
        self._header[GENERATION] = generation

    def refuse(self, generation: int) -> None:
        self._header[REFUSED] = generation

    def add_requests(self, more: int) -> None:
        self._header[REQUESTS] += more

    def set_upload_bytes(self, count: int) -> None:
        self._header[UPLOAD_BYTES] = count

    def set_in_work(self, images: int) -> None:
        self._header[IN_WORK] = images

    def beat(self, connections: int, queue: int = 0) -> None:
        """To be called more often than `SILENCE`."""
        self._header[CONNECTIONS] = connections
        self._header[QUEUE] = queue
        self._header[BEAT] = time.monotonic()

    def end(self) -> None:
        """This worker stops, and need not beat any more."""
        self._header[PROCESS] = 0

    def alive(self) -> Numbers:
        """float64 [workers, HEADER], of those that live; this one's is among them."""
        return self.heads()[self._heard_of()]

    def living(self) -> list[int]:
        """The numbers of those workers, from 1, in the same order."""
        return [number for number, heard in enumerate(self._heard_of().tolist(), start=1) if heard]

    def heads(self) -> Numbers:
        """float64 [workers, HEADER], of all that there ever were."""
        heads: Numbers = self.rows[:, :HEADER]
        return heads

    def _heard_of(self) -> NDArray[np.bool_]:
        heard: NDArray[np.bool_] = self.heads()[:, BEAT] > time.monotonic() - SILENCE
        return heard

    def columns(self, first: int, count: int) -> Numbers:
        """float64 [workers, count], of all that there ever were."""
        return self.rows[:, HEADER + first : HEADER + first + count]


def map_file(path: Path, size: int) -> mmap.mmap:
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        # With room for all of it at once: a page that cannot be had later would be the end of the worker that writes to
        # it.
        if os.fstat(file).st_size < size:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file, 0, size)
            else:
                os.ftruncate(file, size)
        return mmap.mmap(file, size)
    finally:
        os.close(file)


def read_heads(path: Path, workers: int) -> Numbers:
    """float64 [workers, HEADER], for a process that has no row; [0, HEADER] where no worker has begun to have one.

    Raises OSError where there is no file.
    """
    file = os.open(path, os.O_RDONLY)
    try:
        width = os.fstat(file).st_size // workers
        heads = [os.pread(file, HEADER * NUMBER, number * width) for number in range(workers)]
    finally:
        os.close(file)
    whole = [np.frombuffer(head) for head in heads if len(head) == HEADER * NUMBER]
    return np.reshape(whole, (len(whole), HEADER))
