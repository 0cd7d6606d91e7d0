"""HTTP/1.1 on one connection, as uvicorn speaks it, with the bounds that it lacks.

Of a request that is not whole yet uvicorn keeps all that comes, for as long as it comes. What is bounded here: bytes
and number of headers and trailers, the time that a head may take, pieces of a chunked body, requests that are sent
before the ones in front are answered, and connections. Every error is a problem (RFC 9457), and the connection ends
with it.
"""

import asyncio
import enum
import functools
import resource
from collections.abc import Callable
from http import HTTPStatus
from typing import ClassVar

import httptools
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from service.fleet.caller import Caller
from service.web.patience import CALLER
from service.web.problem import MEDIA_TYPE, Problem
from service.web.request_id import make

# Of the request line, headers and trailers of one request.
HEAD_BYTES = 16_384
HEADERS = 100

# Seconds for a head to arrive, the first of a connection too.
HEAD_SECONDS = 10

# Chunks of a body, which may be of a single byte each and cost as much as one of sixty thousand.
CHUNKS = 10_000

# Requests that wait on a connection while one is worked on.
PIPELINED = 32

# Seconds in which the rest of a request is read and thrown away after its answer, so that the client gets to read that:
# a connection is reset where it is closed before all has been read.
LINGER_SECONDS = 2

LINGER_BYTES = 16_000_000

# Seconds that a connection on which nothing is answered is left for its request, where the server stops meanwhile: it
# may be on its way, and would be lost with a connection that closed at once.
LAST_REQUEST_SECONDS = 1

# Seconds for a client to take what it is sent: one that does not read would keep its answers in memory for good.
WRITE_SECONDS = 30

# Connections of a worker, each of which takes some 20 kB. Fewer where the process may not open so many files: with no
# file descriptor left it could not even refuse a connection.
MOST_CONNECTIONS = 4096
SPARE_DESCRIPTORS = 64

# A request to change the protocol is ignored (RFC 9110, 7.8) by leaving these away, as headers and as what the header
# Connection names.
UPGRADE = (b"upgrade", b"http2-settings")


class Refused(Exception):
    """Raised within the parser's callbacks, which ends the parsing."""

    def __init__(self, status: HTTPStatus, detail: str) -> None:
        super().__init__(detail)
        self.problem = Problem(status, detail)


class Awaited(enum.Enum):
    """What comes next on a connection."""

    REQUEST = enum.auto()
    HEAD = enum.auto()
    BODY = enum.auto()


class Protocol(HttpToolsProtocol):
    """uvicorn makes one for each connection, in the event loop's thread."""

    _open: ClassVar[int] = 0

    # Called with what is refused here: its id, status and client's address.
    broken: ClassVar[Callable[[str, int, str | None], None]] = staticmethod(lambda *_: None)

    _awaited = Awaited.REQUEST
    # Of the request that arrives: of its head what the parser has handed on; and what it was fed since it last handed
    # on anything, as it keeps to itself a header or the head of a chunk that has not ended.
    _head_bytes = 0
    _unseen_bytes = 0
    _header_count = 0
    _chunk_count = 0
    # It asks for another protocol, and is read again without that.
    _again = False
    # Nothing more is read, but thrown away.
    _over = False
    _thrown_away = 0
    _stopping = False
    _timer: asyncio.TimerHandle | None = None
    # The request that is answered; `cycle` is the newest, which may wait.
    _running: RequestResponseCycle | None = None
    # Until when what has been written must have left.
    _write_timer: asyncio.TimerHandle | None = None

    @classmethod
    def open_connections(cls) -> int:
        """Of this worker."""
        return cls._open

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._caller = Caller()
        self._lingering = Lingering(self)
        Protocol._open += 1
        if Protocol._open > most_connections():
            detail = f"the service has {most_connections():,} connections open, which is its limit"
            self._write(Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, {"Retry-After": "1"}))
            self._over = True
            transport.close()
        else:
            self._set_timer(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        Protocol._open -= 1
        self._caller.left = True
        self._unset_timer()
        self._unset_write_timer()
        # uvicorn tells the newest request alone that nobody is left to be answered.
        if self._running and not self._running.response_complete:
            self._running.disconnected = True
            self._running.message_event.set()
        super().connection_lost(exc)
        # uvicorn leaves it where the client has reset the connection.
        self._unset_keepalive_if_required()
        self._let_go()

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        self._unseen_bytes += len(data)
        while data and not self._over:
            data = self._feed(data)
        if self._over:
            self._throw_away(len(data))
            return
        if self._unseen_bytes > HEAD_BYTES:
            self._refuse(head_too_large().problem)
        elif not self._timer and (self._awaited is Awaited.HEAD or (self._awaited is Awaited.REQUEST and self._idle())):
            self._set_timer(HEAD_SECONDS)

    def _feed(self, data: bytes) -> bytes:
        """What is to be fed next."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            return self._begin_again() + data[upgrade.args[0] :]
        except httptools.HttpParserError as error:
            self._refuse(problem_of(error))
        return b""

    def _begin_again(self) -> bytes:
        """The head of this request as one that does not ask for another protocol, for a parser that knows nothing yet.

        httptools takes a request that does for one without a body, and would read the body as the next request.
        """
        kept = [(name, without_upgrade(name, value)) for name, value in self.headers if name not in UPGRADE]
        lines = [b": ".join(header) for header in kept]
        first = b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())
        self.parser = httptools.HttpRequestParser(self)
        # As uvicorn does for the first: what follows a request that is said to be the last is no error of that request.
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._again = False
        return b"\r\n".join([first, *lines, b"", b""])

    # The parser's callbacks.

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope[CALLER] = self._caller  # type: ignore[literal-required]  # a scope may have more than uvicorn says
        self._awaited = Awaited.HEAD
        self._head_bytes = self._unseen_bytes = self._header_count = self._chunk_count = 0

    def on_url(self, url: bytes) -> None:
        self._count_head(len(url))
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count_head(len(name) + len(value))
        self._header_count += 1
        if self._header_count > HEADERS:
            raise Refused(
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"the request has more than {HEADERS} headers and trailers"
            )
        if self._awaited is Awaited.HEAD:  # trailers are let go
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._unset_timer()
        self._unseen_bytes = 0
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, "CONNECT is not allowed: this is no proxy")
            self._again = True
            return
        if len(self.pipeline) >= PIPELINED:
            raise Refused(
                HTTPStatus.BAD_REQUEST, f"more than {PIPELINED} requests wait on this connection to be answered"
            )
        self._awaited = Awaited.BODY
        super().on_headers_complete()
        self.cycle.transport = self._lingering  # type: ignore[assignment]  # it has what a cycle asks of a transport
        if self._stopping:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        self._unseen_bytes = 0
        super().on_body(body)

    def on_chunk_header(self) -> None:
        self._unseen_bytes = 0
        self._chunk_count += 1
        if self._chunk_count > CHUNKS:
            raise Refused(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body comes in more than {CHUNKS:,} chunks; send larger ones"
            )

    def on_message_complete(self) -> None:
        self._unseen_bytes = 0
        if self._again:
            return
        self._awaited = Awaited.REQUEST
        super().on_message_complete()

    def _count_head(self, size: int) -> None:
        self._unseen_bytes = 0
        self._head_bytes += size
        if self._head_bytes > HEAD_BYTES:
            raise head_too_large()

    # What the rest of uvicorn calls.

    def pause_writing(self) -> None:
        super().pause_writing()
        self._set_write_timer()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._unset_write_timer()

    def timeout_keep_alive_handler(self) -> None:
        self._close()

    def on_response_complete(self) -> None:
        if self.transport.is_closing() and self.transport.get_write_buffer_size():
            self._set_write_timer()
        super().on_response_complete()
        if self._awaited is Awaited.BODY and self._idle():
            self._set_timer(LINGER_SECONDS)

    def shutdown(self) -> None:
        self._stopping = True
        if self._awaited is Awaited.HEAD or (self._awaited is Awaited.REQUEST and self._idle()):
            self._set_timer(LAST_REQUEST_SECONDS)
        else:
            super().shutdown()

    def _should_upgrade_to_ws(self) -> bool:
        return False

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def _idle(self) -> bool:
        """Whether nothing is being answered."""
        return (self._running is None or self._running.response_complete) and not self.pipeline

    # The one timer of a connection, for whatever is awaited.

    def _set_timer(self, seconds: float) -> None:
        self._unset_timer()
        self._timer = self.loop.call_later(seconds, self._late)

    def _unset_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        self._timer = None
        if self._awaited is Awaited.HEAD and not self._over and not self._stopping:
            detail = f"the head of the request did not arrive within {HEAD_SECONDS} s"
            self._refuse(Problem(HTTPStatus.REQUEST_TIMEOUT, detail))
        elif self._over or self._idle():
            self._close()

    def _set_write_timer(self) -> None:
        self._unset_write_timer()
        self._write_timer = self.loop.call_later(WRITE_SECONDS, self.transport.abort)

    def _unset_write_timer(self) -> None:
        if self._write_timer:
            self._write_timer.cancel()
            self._write_timer = None

    # The end of a connection.

    def _close(self) -> None:
        """Once what has been written has left, which ends by itself if it does not."""
        self._set_write_timer()
        self.transport.close()

    def _let_go(self) -> None:
        """Of what points back here: to collect what thousands leave in circles takes seconds of the loop.

        Nothing comes that would ask for any of it; a request that is still worked on has its own hold of what it needs.
        """
        self._running = self.cycle = None  # type: ignore[assignment]  # of uvicorn
        self.pipeline.clear()
        self._lingering.let_go()

    def _throw_away(self, size: int) -> None:
        self._thrown_away += size
        if self._thrown_away > LINGER_BYTES:
            self.transport.abort()

    def close_after_answer(self) -> None:
        """Where the rest of the request still comes, it is thrown away first."""
        if self._awaited is not Awaited.BODY or self.transport.is_closing():
            self.transport.close()
            return
        self._over = True
        self._linger()

    def _refuse(self, problem: Problem) -> None:
        """Answers what arrives by `problem`. What was asked before it is answered still."""
        self._over = True
        self._unset_timer()
        running = self._running if not self._idle() else None
        if running and (self._awaited is not Awaited.BODY or running is not self.cycle):
            if self._awaited is Awaited.BODY:  # it waits behind the others already
                self.pipeline.popleft()
            last = self.pipeline[0][0] if self.pipeline else running
            last.keep_alive = False
            return
        if running:
            # Whoever waits for the rest of the body need not.
            running.disconnected = True
            running.message_event.set()
        if not running or not running.response_started:
            self._write(problem)
        self._linger()

    def _linger(self) -> None:
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._set_timer(LINGER_SECONDS)

    def _write(self, problem: Problem) -> None:
        request_id = make()
        body = problem.content(request_id=request_id)
        headers = {
            **(problem.headers or {}),
            "content-type": MEDIA_TYPE,
            "content-length": str(len(body)),
            "x-request-id": request_id,
            "connection": "close",
        }
        lines = [f"{name}: {value}\r\n".encode() for name, value in headers.items()]
        Protocol.broken(request_id, problem.status.value, self.client[0] if self.client else None)
        self.transport.write(b"".join([STATUS_LINE[problem.status], *lines, b"\r\n", body]))


class Lingering:
    """What an answer is written to: the connection, which closes once the client can have read it."""

    def __init__(self, protocol: Protocol) -> None:
        self._protocol: Protocol | None = protocol
        self.write = protocol.transport.write
        self.is_closing = protocol.transport.is_closing

    def close(self) -> None:
        if self._protocol:
            self._protocol.close_after_answer()

    def let_go(self) -> None:
        self._protocol = None


def without_upgrade(name: bytes, value: bytes) -> bytes:
    if name != b"connection":
        return value
    return b", ".join(token for each in value.split(b",") if (token := each.strip()).lower() not in UPGRADE)


def problem_of(error: httptools.HttpParserError) -> Problem:
    refused = error.__context__
    if isinstance(refused, Refused):
        return refused.problem
    return Problem(HTTPStatus.BAD_REQUEST, f"the request is no valid HTTP: {error}")


def head_too_large() -> Refused:
    return Refused(
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        f"the request line, headers and trailers have more than {HEAD_BYTES:,} bytes",
    )


@functools.cache
def most_connections() -> int:
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return (
        MOST_CONNECTIONS
        if descriptors == resource.RLIM_INFINITY
        else min(MOST_CONNECTIONS, descriptors - SPARE_DESCRIPTORS)
    )
