"""Processes that prepare pictures: what a file does to its decoder harms neither the server nor a neighbour.

One that takes longer than its request may, or more memory than a process is given, takes that process with it, and a
new one begins at once. `service.fleet.preparer` is what runs in them.
"""

import asyncio
import os
import socket
import subprocess
import sys

from service.errors import StartError
from service.fleet.preparer import GONE, HEAD, READY, pack_job, unpack_prepared
from service.picture.fault import Fault, FaultKind
from service.picture.prepare import Prepared, Wanted
from service.settings import ROOT

# Bytes that a process may take beside what it has at its start, where the largest picture takes its pixels several
# times over.
BYTES_A_PIXEL = 20
BYTES_BESIDE = 64_000_000

# Seconds. Python, numpy and Pillow are loaded in a quarter of one.
LONGEST_START = 60


class Preparers:
    """`count` processes, for pictures of up to `max_pixels`. Made and used in one event loop."""

    def __init__(self, count: int, max_pixels: int) -> None:
        self._memory = BYTES_BESIDE + BYTES_A_PIXEL * max_pixels
        self._idle: asyncio.LifoQueue[Preparer] = asyncio.LifoQueue()
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

    async def prepare(self, content: bytes, wanted: Wanted) -> Prepared:
        """Waits for a process that is free. Cancelled, it kills the one that is at work."""
        preparer = await self._idle.get()
        try:
            return await preparer.prepare(content, wanted)
        finally:
            if preparer.killed:
                self._all.remove(preparer)
                preparer = Preparer(self._memory)
                self._all.add(preparer)
            self._idle.put_nowait(preparer)


class Preparer:
    """One process. It begins as this is made, and is killed by the first job that it does not finish."""

    def __init__(self, memory: int) -> None:
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603  # ourselves
                [sys.executable, "-m", "service.fleet.preparer", str(theirs.fileno()), str(memory)],
                cwd=ROOT,
                # A picture is too small to be shared out between threads, and each would take memory.
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        self._memory = memory
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.killed = False

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Returns when it is ready. Raises EOFError where it ended before."""
        if self._streams is None:
            self._streams = await asyncio.open_unix_connection(sock=self._socket)
            await self._streams[0].readexactly(len(READY))
        return self._streams

    async def prepare(self, content: bytes, wanted: Wanted) -> Prepared:
        try:
            reader, writer = await self.connect()
            writer.writelines(pack_job(content, wanted))
            await writer.drain()
            head = await reader.readexactly(HEAD.size)
            if head == GONE:
                self.kill()
                detail = f"the image takes more than {self._memory:,} bytes of memory to decode, which is the limit"
                return unreadable(Fault(FaultKind.TOO_LARGE, detail))
            text_size, pixels_size = HEAD.unpack(head)
            return unpack_prepared(await reader.readexactly(text_size), await reader.readexactly(pixels_size))
        except (EOFError, OSError):
            self.kill()
            return unreadable(Fault(FaultKind.DAMAGED, "the image brings its decoder down"))
        except asyncio.CancelledError:
            self.kill()
            raise

    def kill(self) -> None:
        self.killed = True
        self._process.kill()
        if self._streams:
            self._streams[1].transport.abort()
        else:
            self._socket.close()
        # Its memory goes with it, which may take longer than the loop can be held up.
        asyncio.get_running_loop().run_in_executor(None, self._process.wait)


def unreadable(fault: Fault) -> Prepared:
    return Prepared(None, None, None, fault, decode_seconds=0, normalise_seconds=0)
