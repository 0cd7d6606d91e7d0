"""Processes that prepare pictures: what a file does to its decoder harms neither the server nor a neighbour.

One that takes longer than its request may, or more memory than a process is given, takes that process with it, and a
new one begins at once. `service.fleet.preparer` is what runs in them.
"""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator

from service.errors import StartError
from service.fleet.caller import PATIENT, Caller, CallerLeft, within
from service.fleet.preparer import GONE, HEAD, READY, pack_job, unpack_prepared
from service.picture.fault import Fault, FaultKind
from service.picture.prepare import Prepared, Wanted
from service.settings import ROOT

# Bytes that a process may take beside what it has at its start, where the largest picture takes its pixels several
# times over, and the file is held up to three times.
BYTES_A_PIXEL = 20
BYTES_BESIDE = 80_000_000

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]

# Seconds. Python, numpy and Pillow are loaded in a quarter of one.
LONGEST_START = 60


class NoTurn(Exception):
    """All processes were busy for as long as a picture may wait for one."""


class Preparers:
    """`count` processes, for pictures of up to `max_pixels`. Made and used in one event loop.

    tell: called with how each that is replaced ended, one of `service.fleet.metrics.ENDS`. longest_wait: seconds, of a
    picture for its turn.
    """

    def __init__(
        self,
        count: int,
        max_pixels: int,
        tell: Callable[[str], None] | None = None,
        longest_wait: float = 60,
    ) -> None:
        self.count = count
        self._tell = tell
        self.longest_wait = longest_wait
        self._memory = BYTES_BESIDE + BYTES_A_PIXEL * max_pixels
        # Those that are ready: one that has just begun keeps no picture waiting that another could have. None: one that
        # could not be started.
        self._idle: asyncio.LifoQueue[Preparer | None] = asyncio.LifoQueue()
        self._replacing: set[asyncio.Task[None]] = set()
        self._all = {Preparer(self._memory) for _ in range(count)}

    async def start(self) -> None:
        """Returns when all are ready. Raises StartError where one does not get there."""
        for preparer in self._all:
            try:
                async with asyncio.timeout(LONGEST_START):
                    await preparer.connect()
            except (OSError, EOFError, TimeoutError) as error:
                self.close()
                raise StartError(f"a process for pictures does not start: {error}") from error
            self._idle.put_nowait(preparer)

    def close(self) -> None:
        for preparer in self._all:
            preparer.kill()

    async def prepare(
        self, content: bytes, wanted: Wanted, caller: Caller = PATIENT, since: float | None = None
    ) -> Prepared:
        """Waits for a process that is free. Cancelled, it kills the one that is at work.

        since: of the loop's clock, when the wait began, if not now: one of several pictures that have all come then.

        Raises MemoryError where no process can be had, NoTurn where none was free in time, CallerLeft where nobody
        waits by the time that one is. One that is at work for a caller that leaves ends it: a new one takes longer than
        most pictures.
        """
        due = (asyncio.get_running_loop().time() if since is None else since) + self.longest_wait
        try:
            return await self._prepare(content, wanted, caller, due)
        except EOFError:
            # It may have been killed from outside, for its memory, say: another is given the same picture.
            try:
                return await self._prepare(content, wanted, caller, due)
            except EOFError:
                return unreadable(Fault(FaultKind.DAMAGED, "the image brings its decoder down"))

    async def _prepare(self, content: bytes, wanted: Wanted, caller: Caller, due: float) -> Prepared:
        """Raises EOFError where the process ended over it."""
        preparer = await self._turn(caller, due)
        try:
            if not caller.waits():
                raise CallerLeft("decode")
            preparer = preparer or self._begin()
            return await preparer.prepare(content, wanted)
        except OSError as error:
            raise MemoryError("no process can be started") from error
        finally:
            if preparer and preparer.killed:
                self._replace(preparer)
            else:
                self._idle.put_nowait(preparer)

    async def _turn(self, caller: Caller, due: float) -> "Preparer | None":
        """Where one is free it is given, however late that is."""
        try:
            async with asyncio.timeout_at(due):
                return await within(caller, self._idle.get(), before="decode")
        except TimeoutError as error:
            raise NoTurn from error

    def _begin(self) -> "Preparer":
        """Raises OSError where there are no processes or files left."""
        preparer = Preparer(self._memory)
        self._all.add(preparer)
        return preparer

    def _replace(self, ended: "Preparer") -> None:
        self._all.remove(ended)
        if self._tell:
            self._tell(ended.end)
        task = asyncio.get_running_loop().create_task(self._make_ready_another())
        self._replacing.add(task)
        task.add_done_callback(self._replacing.discard)

    async def _make_ready_another(self) -> None:
        """What ends or hangs as it begins is handed out all the same: the picture that gets it ends it."""
        preparer = None
        with contextlib.suppress(OSError, EOFError, TimeoutError):
            preparer = self._begin()
            async with asyncio.timeout(LONGEST_START):
                await preparer.connect()
        self._idle.put_nowait(preparer)


class Preparer:
    """One process. It begins as this is made, and is killed by the first job that it does not finish."""

    def __init__(self, memory: int) -> None:
        self._memory = memory
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
        # A task of its own: a caller that is cancelled while it goes on must not leave half a connection.
        self._connecting: asyncio.Task[Streams] | None = None
        self.killed = False
        # How it came to be killed, one of `service.fleet.metrics.ENDS`.
        self.end = "died"

    async def connect(self) -> Streams:
        """Returns when it is ready. Raises EOFError where it ended before."""
        if self._connecting is None:
            self._connecting = asyncio.get_running_loop().create_task(self._connect())
            # Where nobody waits for it any more, nobody need be told.
            self._connecting.add_done_callback(lambda task: task.cancelled() or task.exception())
        return await asyncio.shield(self._connecting)

    async def _connect(self) -> Streams:
        reader, writer = await asyncio.open_unix_connection(sock=self._socket)
        try:
            await reader.readexactly(len(READY))
        except (EOFError, OSError) as error:
            writer.transport.abort()
            raise EOFError("it ended as it began") from error
        except asyncio.CancelledError:  # the server ends
            writer.transport.abort()
            raise
        return reader, writer

    async def prepare(self, content: bytes, wanted: Wanted) -> Prepared:
        """Raises EOFError where the process ends over it."""
        try:
            reader, writer = await self.connect()
            writer.writelines(pack_job(content, wanted))
            await writer.drain()
            head = await reader.readexactly(HEAD.size)
            if head == GONE:
                self.end = "memory"
                self.kill()
                detail = f"the image takes more than {self._memory:,} bytes of memory to decode, which is the limit"
                return unreadable(Fault(FaultKind.TOO_LARGE, detail))
            text_size, pixels_size = HEAD.unpack(head)
            return unpack_prepared(await reader.readexactly(text_size), await reader.readexactly(pixels_size))
        except (EOFError, ConnectionError) as error:
            self.kill()
            raise EOFError("it ended over a picture") from error
        except asyncio.CancelledError:
            self.end = "deadline"
            self.kill()
            raise

    def kill(self) -> None:
        self.killed = True
        self._process.kill()
        if self._connecting is None:
            self._socket.close()
        elif self._connecting.done() and not self._connecting.cancelled() and not self._connecting.exception():
            self._connecting.result()[1].transport.abort()
        # Its memory goes with it, which may take longer than the loop can be held up.
        asyncio.get_running_loop().run_in_executor(None, self._process.wait)


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
