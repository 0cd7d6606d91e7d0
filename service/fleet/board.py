"""The numbers that the workers of one server show each other, in memory that all of them have mapped."""

import mmap
import os
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

NUMBER = np.dtype(np.float64).itemsize

# What each worker's row begins with: images in work, open connections, and when it was last heard of.
IN_WORK, CONNECTIONS, BEAT, HEADER = range(4)

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
        self.set_in_work(0)
        self.beat(0)

    def set_in_work(self, images: int) -> None:
        self._header[IN_WORK] = images

    def beat(self, connections: int) -> None:
        """To be called more often than `SILENCE`."""
        self._header[CONNECTIONS] = connections
        self._header[BEAT] = time.monotonic()

    def alive(self) -> Numbers:
        """float64 [workers, HEADER], of those that live; this one's is among them."""
        heads: Numbers = self.rows[:, :HEADER]
        return heads[heads[:, BEAT] > time.monotonic() - SILENCE]

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
