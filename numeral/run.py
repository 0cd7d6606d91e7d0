"""Reads a list of files: chunks of it go to several readers at a time, rows come in the order of the list."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple, Protocol

from numeral.files import File
from numeral.output import Done, Output
from numeral.rows import Row

# Files that are read together. A run that goes on makes the same chunks of the list as one that was never ended: what
# is in a batch with others may differ from what is not in the last bits of a probability.
CHUNK = 64

# Chunks for each reader that are handed out before the first of them is written.
AHEAD = 4


class Readers(Protocol):
    """`read` may be called by `parallel` threads at a time, once `start` is back. `close` ends what is at work."""

    parallel: int
    model: dict[str, str]

    def start(self) -> None: ...
    def read(self, files: Sequence[File]) -> list[Row]: ...
    def close(self) -> None: ...


class Counts(NamedTuple):
    accepted: int = 0
    refused: int = 0
    failed: int = 0

    def plus(self, rows: Sequence[Row]) -> "Counts":
        failed = sum(row["error"] is not None for row in rows)
        accepted = sum(row["accepted"] for row in rows)
        return Counts(self.accepted + accepted, self.refused + len(rows) - accepted - failed, self.failed + failed)


class Engine(Protocol):
    """Reads `files`, once `start` is back. `rows`, some at a time, bear their names and are in their order, without the
    first `done` of all. `close` ends what is at work."""

    files: Sequence[File]
    model: dict[str, str]

    def start(self) -> None: ...
    def rows(self, done: int) -> Iterator[list[Row]]: ...
    def close(self) -> None: ...


class SideBySide:
    """The engine of `readers`."""

    def __init__(self, files: Sequence[File], readers: Readers) -> None:
        self.files = files
        self._readers = readers
        self.model: dict[str, str] = {}
        self.close = readers.close

    def start(self) -> None:
        self._readers.start()
        self.model = self._readers.model

    def rows(self, done: int) -> Iterator[list[Row]]:
        return rows_of(self.files, self._readers, done)


def run(engine: Engine, output: Output, done: Done, advance: Callable[[int], None]) -> Counts:
    """Of the files behind those that are done. `advance` is told how many were written."""
    counts = Counts()
    for rows in engine.rows(done.rows):
        output.write(rows)
        counts = counts.plus(rows)
        advance(len(rows))
    output.end()
    return counts


def rows_of(files: Sequence[File], readers: Readers, done: int) -> Iterator[list[Row]]:
    """Chunk by chunk, without the first `done` of all."""
    first = done // CHUNK * CHUNK
    chunks = [files[start : start + CHUNK] for start in range(first, len(files), CHUNK)]
    skipped = done - first
    for rows in in_order(chunks, readers):
        yield rows[skipped:]
        skipped = 0


def in_order(chunks: Sequence[Sequence[File]], readers: Readers) -> Iterator[list[Row]]:
    waiting: deque[Future[list[Row]]] = deque()
    executor = ThreadPoolExecutor(readers.parallel)
    try:
        for chunk in chunks:
            waiting.append(executor.submit(readers.read, chunk))
            if len(waiting) >= AHEAD * readers.parallel:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        readers.close()
        # A thread may wait for a server that hangs, and is not waited for.
        executor.shutdown(wait=False, cancel_futures=True)
