"""Changes a worker's models to the generation that the supervisor wants, while it serves."""

import asyncio
import contextlib
import ctypes
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from service.errors import StartError
from service.fleet import generation
from service.fleet.board import GENERATION, Board
from service.model.engine import Engine, load_engines
from service.settings import Settings
from service.web.classify import Classifier

logger = logging.getLogger("numeral")

# Seconds between two looks.
INTERVAL = 0.1

# In the place of a generation, on the board, while answers may be by the one or the other.
CHANGING = 0


T = TypeVar("T")


class Renewal:
    """Made and used in the event loop.

    own: this worker's number, from 1. number: of the generation that it was started with.
    """

    def __init__(
        self, settings: Settings, shared: Path, board: Board, classifier: Classifier, own: int, number: int
    ) -> None:
        self._settings = settings
        self._shared = shared
        self._board = board
        self._classifier = classifier
        self._own = own
        self._number = number
        # What was begun: that it did not come about is said once.
        self._tried = number
        self._change: asyncio.Task[None] | None = None
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="renewal")
        self._look()

    def close(self) -> None:
        self._timer.cancel()
        if self._change:
            self._change.cancel()
        self._loader.shutdown(wait=False, cancel_futures=True)

    def _look(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(INTERVAL, self._look)
        try:
            wanted = generation.current(self._shared)
        except OSError:  # the folder goes with the supervisor; what was loaded is served on
            return
        busy = self._change and not self._change.done()
        if wanted != self._tried and not busy and self._is_next(wanted):
            self._tried = wanted
            self._change = asyncio.get_running_loop().create_task(self._change_to(wanted))

    def _is_next(self, wanted: int) -> bool:
        """One worker after the other, as to load takes time of a core. Who is not heard of is not waited for."""
        heads = self._board.heads()
        before = (number for number in self._board.living() if number < self._own)
        return all(heads[number - 1, GENERATION] == wanted for number in before)

    async def _change_to(self, wanted: int) -> None:
        self._board.answer_by(CHANGING)
        try:
            engines = await self._elsewhere(self._load, wanted)
        except (StartError, OSError, MemoryError) as error:
            logger.error("generation %d of the models cannot be loaded: %s", wanted, str(error) or "no memory is left")
            self._board.refuse(wanted)
        else:
            await self._classifier.change_to(engines)
            self._number = wanted
        self._board.answer_by(self._number)
        await self._elsewhere(give_back_memory)

    async def _elsewhere(self, work: Callable[..., T], *given: int) -> T:
        """In the one thread that there is for it: the allocator keeps memory for each."""
        return await asyncio.get_running_loop().run_in_executor(self._loader, work, *given)

    def _load(self, wanted: int) -> dict[str, Engine]:
        before = self._classifier.engines()
        engines = load_engines(self._settings, generation.folder(self._shared, wanted), before)
        for name, engine in engines.items():
            if engine is not before.get(name):
                engine.warm_up()
        return engines


def give_back_memory() -> None:
    """Of the models that went: glibc would keep as much as they took, in pieces too small for the next."""
    with contextlib.suppress(AttributeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)
