"""A line of JSON for each request, on standard output. No picture, no file name and no query: docs/operate.md.

A thread writes: a reader that is slow or gone holds up no request. What would wait behind too much is dropped, and
counted.
"""

import logging
import os
import select
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from service.web.request_id import trace_of
from service.web.upload import PATH

STANDARD_OUTPUT = 1

# Of the scope of a request that is logged: what whoever answers it adds to its line.
ENTRY = "numeral.log"

# Lines that wait to be written; a line has some 500 bytes.
MOST_LINES = 10_000

# Of an address, which a proxy that is trusted names by any word.
CLIENT_CHARACTERS = 64

# Of a path, as it was sent: what is no ASCII in it is escaped.
PATH_BYTES = 256

# Bytes that go into a pipe whole, and not in between the lines of another worker (POSIX asks for 512, Linux has 4,096).
WHOLE_BYTES = select.PIPE_BUF

# Seconds that lines gather before they are written together: to wake a thread for each would cost every request time.
GATHER_SECONDS = 0.02

# Seconds for the last lines to be written as the worker stops.
CLOSE_SECONDS = 2


class AccessLog:
    """Used from the event loop. `drop`: called with "full" there, and with "failed" in the thread that writes."""

    def __init__(self, descriptor: int, drop: Callable[[str], None]) -> None:
        self._descriptor = descriptor
        self._drop = drop
        self._lines: deque[bytes] = deque()
        self._ready = threading.Event()
        self._closing = False
        self._taken_over: list[logging.StreamHandler[Any]] = []
        # It may be stuck in a write for good, and must not keep the process from its end.
        self._thread = threading.Thread(target=self._run, name="access log", daemon=True)
        self._thread.start()

    def write(self, entry: Mapping[str, Any]) -> None:
        self._put(orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE))

    def take_over(self, handlers: Iterable[logging.Handler]) -> None:
        """What they write to standard output goes the same way: where nobody reads, an error would stop the loop."""
        for handler in handlers:
            if isinstance(handler, logging.StreamHandler) and handler.stream is sys.stdout:
                handler.setStream(TextStream(self._put))
                self._taken_over.append(handler)

    def close(self) -> None:
        self._closing = True
        self._ready.set()
        self._thread.join(CLOSE_SECONDS)
        if not self._thread.is_alive():  # else nobody reads
            for handler in self._taken_over:
                handler.setStream(sys.stdout)

    def _put(self, line: bytes) -> None:
        if len(self._lines) >= MOST_LINES:
            self._drop("full")
            return
        self._lines.append(line)
        if not self._ready.is_set():
            self._ready.set()

    def _run(self) -> None:
        while not self._closing or self._lines:
            self._ready.wait()
            time.sleep(GATHER_SECONDS)
            self._ready.clear()
            while self._lines:
                self._send(self._together())

    def _together(self) -> list[bytes]:
        """The next lines, as many as go into a pipe whole."""
        lines = [self._lines.popleft()]
        size = len(lines[0])
        while self._lines and (size := size + len(self._lines[0])) <= WHOLE_BYTES:
            lines.append(self._lines.popleft())
        return lines

    def _send(self, lines: list[bytes]) -> None:
        left = memoryview(b"".join(lines))
        try:
            while left:
                # Whoever shares the other end may have made it one that does not block.
                select.select([], [self._descriptor], [])
                left = left[self._written(left) :]
        except OSError:  # nobody reads any more, or the disk is full
            for _ in lines:
                self._drop("failed")

    def _written(self, content: memoryview) -> int:
        try:
            return os.write(self._descriptor, content)
        except BlockingIOError:  # there is some room, but not for all of it
            time.sleep(GATHER_SECONDS)
            return 0


class TextStream:
    """What a handler of `logging` asks of a stream."""

    def __init__(self, put: Callable[[bytes], None]) -> None:
        self._put = put

    def write(self, text: str) -> None:
        self._put(text.encode("utf-8", "backslashreplace"))

    def flush(self) -> None:
        """The thread does."""


def line_of(scope: MutableMapping[str, Any], request_id: str, status: int, size: int, seconds: float) -> dict[str, Any]:
    """What is said of each request. size: bytes of the answer's body."""
    client = scope.get("client")
    return {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "request_id": request_id,
        "trace_id": trace_of(scope["headers"]),
        "client": client[0][:CLIENT_CHARACTERS] if client else None,
        "method": scope["method"],
        "path": path_of(scope),
        "status": status,
        "bytes": size,
        "seconds": round(seconds, 6),
        **scope.get(ENTRY, {}),
    }


def path_of(scope: MutableMapping[str, Any]) -> str:
    """As it was sent, but for what is behind /classify/, where `curl -T` puts the name of its file."""
    if scope["path"].startswith(f"{PATH}/"):
        return f"{PATH}/…"
    path: bytes = scope["raw_path"][:PATH_BYTES]
    return path.decode("ascii", "backslashreplace")


def line_of_broken(request_id: str, status: int, client: str | None) -> dict[str, Any]:
    """Of what never became a request."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    return {"time": now, "request_id": request_id, "client": client, "status": status}


def about_images(upload_bytes: int, outcomes: Sequence[str], latency_ms: Mapping[str, float]) -> dict[str, Any]:
    """What a line says of all images of a request. latency_ms: by stage, empty where none was read."""
    counts = {outcome: outcomes.count(outcome) for outcome in sorted(set(outcomes))}
    return {"upload_bytes": upload_bytes, "images": len(outcomes), "outcomes": counts, "latency_ms": latency_ms}


def about_image(body: Mapping[str, Any]) -> dict[str, Any]:
    """What it says of the only one. body: of the answer to it, or of a problem."""
    if "confidence" not in body:
        return {}
    read = {name: body[name] for name in ("digit", "label", "confidence") if name in body}
    return {**read, "reason": body["reason"] and body["reason"].partition(":")[0]}
