"""Processes that prepare pictures: what a file does to its decoder harms neither the server nor a neighbour.

One that takes longer than its request may, or more memory than a process is given, takes that process with it, and a
new one begins at once.
"""

import asyncio
from collections.abc import Callable

from service.errors import StartError
from service.fleet.caller import PATIENT, Caller, CallerLeft
from service.fleet.preparer_process import End, Job, PreparerProcess, unreadable
from service.picture.fault import Fault, FaultKind
from service.picture.prepare import Prepared, Wanted

# Bytes that a process may take beside what it has at its start, where the largest picture takes its pixels several
# times over, and the file is held up to three times.
BYTES_A_PIXEL = 20
BYTES_BESIDE = 80_000_000

# Seconds. Python, numpy and Pillow are loaded in a quarter of one.
LONGEST_START = 60

# Seconds until another is tried where none can be had, or one ends before it was given a picture.
PAUSE = 1


class NoTurn(Exception):
    """All processes were busy for as long as a picture may wait for one."""


class Preparers:
    """`count` processes, for pictures of up to `max_pixels`. Made and used in one event loop.

    tell: called with how each that is replaced ended. longest_wait: seconds, of a picture for its turn.
    """

    def __init__(
        self,
        count: int,
        max_pixels: int,
        tell: Callable[[End], None] | None = None,
        longest_wait: float = 60,
    ) -> None:
        self.count = count
        self._tell = tell
        self.longest_wait = longest_wait
        self._memory = BYTES_BESIDE + BYTES_A_PIXEL * max_pixels
        self._all = {self._begin() for _ in range(count)}
        # The last one that was free is the next to be given a picture: what it needs is in the processor's caches.
        self._free: list[PreparerProcess] = []
        # In the order in which they came.
        self._waiting: dict[Job, None] = {}
        self._starting: set[asyncio.Task[None]] = set()
        self._again: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """Returns when all are ready. Raises StartError where one does not get there."""
        try:
            async with asyncio.timeout(LONGEST_START):
                for process in list(self._all):
                    await process.start()
        except (OSError, EOFError) as error:
            self.close()
            raise StartError(f"a process for pictures does not start: {error}") from error

    def close(self) -> None:
        if self._again:
            self._again.cancel()
        self._free.clear()
        for process in self._all:
            process.kill()

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
        for _ in range(2):
            # A process may have been killed from outside, for its memory, say: another is given the same picture.
            prepared = await self._prepare(content, wanted, caller, due)
            if prepared is not None:
                return prepared
        return unreadable(Fault(FaultKind.DAMAGED, "the image brings its decoder down"))

    async def _prepare(self, content: bytes, wanted: Wanted, caller: Caller, due: float) -> Prepared | None:
        """None where the process ended over it."""
        try:
            self._begin_what_is_missing()
        except OSError as error:
            if not self._all:
                raise MemoryError("no process can be started") from error
        seconds = caller.seconds_left()
        left = due if seconds is None else asyncio.get_running_loop().time() + seconds
        job = Job(content, wanted, caller, min(due, left))
        try:
            self._waiting[job] = None
            # Where one is free it is given, however late that is.
            self._hand_out()
            prepared = await job.answer
        finally:
            job.turn.cancel()
            self._waiting.pop(job, None)
            if job.process and job.process.job is job:
                job.process.end("deadline")
        if (prepared is None and not caller.waits()) or (job.late and left < due):
            raise CallerLeft("decode")
        if job.late:
            raise NoTurn
        return prepared

    def _hand_out(self) -> None:
        while self._free and self._waiting:
            job = next(iter(self._waiting))
            del self._waiting[job]
            if not job.caller.waits():
                job.settle(None)
            elif not job.answer.done():
                self._free.pop().give(job)

    def _begin(self) -> PreparerProcess:
        """Raises OSError."""
        return PreparerProcess(self._memory, self._is_free, self._has_ended)

    def _is_free(self, process: PreparerProcess) -> None:
        self._free.append(process)
        self._hand_out()

    def _has_ended(self, process: PreparerProcess, how: End) -> None:
        self._all.discard(process)
        if process in self._free:
            self._free.remove(process)
        if self._tell:
            self._tell(how)
        if process.was_given_one:
            self._begin_again()
        else:
            self._begin_later()

    def _begin_later(self) -> None:
        if self._again:
            self._again.cancel()
        self._again = asyncio.get_running_loop().call_later(PAUSE, self._begin_again)

    def _begin_again(self) -> None:
        try:
            self._begin_what_is_missing()
        except OSError:
            self._begin_later()

    def _begin_what_is_missing(self) -> None:
        """Raises OSError where there are no processes or files left."""
        while len(self._all) < self.count:
            process = self._begin()
            self._all.add(process)
            task = asyncio.get_running_loop().create_task(self._make_ready(process))
            self._starting.add(task)
            task.add_done_callback(self._starting.discard)

    async def _make_ready(self, process: PreparerProcess) -> None:
        try:
            async with asyncio.timeout(LONGEST_START):
                await process.start()
        except (OSError, EOFError):
            process.end("died")
