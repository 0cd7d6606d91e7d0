"""One process that prepares pictures, seen from the server. `service.fleet.preparer` is what runs in it."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Literal, cast

from service.fleet.caller import Caller
from service.fleet.preparer import GONE, HEAD, pack_job, unpack_prepared
from service.picture.fault import Fault, FaultKind
from service.picture.prepare import Prepared, Wanted
from service.settings import ROOT

# How one comes to its end, of `service.fleet.metrics.ENDS`.
End = Literal["died", "deadline", "memory"]

# Bytes of an answer: what says more has been taken over by its picture.
LARGEST_ANSWER = 16_000_000


class Job:
    """A picture that waits for a process until `turn`, of the loop's clock, and then is `late`.

    answer: None where it is late, where its process ended over it, and where nobody waits for it any more.
    """

    def __init__(self, content: bytes, wanted: Wanted, caller: Caller, turn: float) -> None:
        loop = asyncio.get_running_loop()
        self.content = content
        self.wanted = wanted
        self.caller = caller
        self.answer: asyncio.Future[Prepared | None] = loop.create_future()
        self.late = False
        self.turn = loop.call_at(turn, self._give_up)
        self.process: PreparerProcess | None = None

    def settle(self, prepared: Prepared | None) -> None:
        """Unless whoever waited has gone."""
        if not self.answer.done():
            self.answer.set_result(prepared)

    def _give_up(self) -> None:
        self.late = not self.answer.done()
        self.settle(None)


class PreparerProcess(asyncio.Protocol):
    """It begins as this is made. The next job is sent as the answer to the last is read: where the loop is busy, a turn
    of it takes longer than most pictures.

    free: called when it may be given a job. ended: called once where it ends by itself or by `end`.
    """

    def __init__(self, memory: int, free: "Free", ended: "Ended") -> None:
        """Raises OSError where there are no processes or files left."""
        self._memory, self._free, self._ended = memory, free, ended
        self._socket, theirs = socket.socketpair()
        try:
            with theirs, held_back(signal.SIGTERM, signal.SIGINT):
                self._process = subprocess.Popen(  # noqa: S603  # ourselves
                    [sys.executable, "-m", "service.fleet.preparer", str(theirs.fileno()), str(memory)],
                    cwd=ROOT,
                    # A picture is too small to be shared out between threads, and each would take memory.
                    env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
                    stdin=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                )
        except OSError:
            self._socket.close()
            raise
        self._ready: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._transport: asyncio.WriteTransport | None = None
        self._connects = False
        self._received = bytearray()
        self._killed = False
        self.job: Job | None = None
        self.was_given_one = False

    async def start(self) -> None:
        """Returns when it is ready. Raises EOFError where it ended before, and OSError."""
        self._connects = True
        await asyncio.get_running_loop().create_unix_connection(lambda: self, sock=self._socket)
        # It is set by what is read: a caller that is cancelled must not. And it may have ended since.
        if not await asyncio.shield(self._ready) or self._killed:
            raise EOFError("it ended as it began")
        self._free(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)
        if self._killed:
            self._transport.abort()

    def give(self, job: Job) -> None:
        """To one that is free."""
        self.job, job.process, self.was_given_one = job, self, True
        job.turn.cancel()
        self._transport.writelines(pack_job(job.content, job.wanted))  # type: ignore[union-attr]  # the free have one

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self._ready.done():
            self._received.clear()
            self._ready.set_result(True)
        elif self.job is None:
            self.end("died")
        elif self._received.startswith(GONE):
            detail = f"the image takes more than {self._memory:,} bytes of memory to decode, which is the limit"
            self.job.settle(unreadable(Fault(FaultKind.TOO_LARGE, detail)))
            self.end("memory")
        elif (prepared := unpack(self._received)) is not None:
            self.job.settle(prepared)
            self.job = None
            self._received = bytearray()
            self._free(self)

    def connection_lost(self, _: Exception | None) -> None:
        self.end("died")

    def end(self, how: End) -> None:
        if self._killed:
            return
        self.kill()
        if self.job:
            self.job.settle(None)
            self.job = None
        self._ended(self, how)
        if not self._ready.done():
            self._ready.set_result(False)

    def kill(self) -> None:
        """With nobody told."""
        self._killed = True
        self._process.kill()
        if self._transport:
            self._transport.abort()
        elif not self._connects:
            self._socket.close()
        # Its memory goes with it, which may take longer than the loop can be held up.
        with contextlib.suppress(RuntimeError):  # no thread to be had: it is waited for as another begins
            asyncio.get_running_loop().run_in_executor(None, self._process.wait)


Free = Callable[[PreparerProcess], None]
Ended = Callable[[PreparerProcess, End], None]


def unpack(received: bytearray) -> Prepared | None:
    """None where more is to come. Raises ValueError, which closes the connection, as any other error does."""
    if len(received) < HEAD.size:
        return None
    text_size, pixels_size = HEAD.unpack_from(received)
    if text_size + pixels_size > LARGEST_ANSWER:
        raise ValueError(f"a process for pictures answers in {text_size + pixels_size:,} bytes")
    pixels = HEAD.size + text_size
    if len(received) < pixels + pixels_size:
        return None
    return unpack_prepared(bytes(received[HEAD.size : pixels]), bytes(received[pixels:]))


@contextlib.contextmanager
def held_back(*signals: signal.Signals) -> Iterator[None]:
    """Here for a moment; a process that begins meanwhile never gets them, which the server ends by itself.

    What is in work as all processes are told to stop is still answered, and one that has not begun yet is no failure.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, signals)
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def unreadable(fault: Fault) -> Prepared:
    return Prepared(None, (), (), None, None, fault, decode_seconds=0, normalise_seconds=0)
