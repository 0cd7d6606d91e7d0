"""One model as a worker serves it."""

import asyncio
from typing import Self

from service.fleet.metrics import Metrics
from service.model import receipt, verdict
from service.model.artefact import Artefact
from service.model.batcher import Batcher
from service.model.engine import Engine
from service.picture.prepare import Wanted
from service.settings import Settings


class Loaded:
    """All of it is of one engine. A request takes it once and answers by nothing else, while others may already be
    answered by another: `with` it, it stays.

    Made and used in the event loop.
    """

    __slots__ = ("_done", "_users", "artefact", "batcher", "conditions", "described", "engine", "wanted")

    def __init__(self, engine: Engine, settings: Settings, metrics: Metrics) -> None:
        artefact = engine.artefact
        self.engine = engine
        self.artefact = artefact
        # A GPU works while the loop goes on reading; a network on the CPU takes the loop's own core in any case.
        self.batcher = Batcher(
            artefact.name, engine.run, engine.max_batch, metrics, engine.executor, settings.max_wait_ms / 1000
        )
        self.wanted = wanted_by(artefact, settings.max_pixels)
        self.described = verdict.described(artefact)
        self.conditions = receipt.conditions(engine)
        self._users = 0
        self._done = asyncio.Event()

    def __enter__(self) -> Self:
        self._users += 1
        return self

    def __exit__(self, *_: object) -> None:
        self._users -= 1
        if not self._users:
            self._done.set()

    async def retire(self) -> None:
        """Returns when all are answered that have taken it. Nobody may take it any more."""
        while self._users:
            self._done.clear()
            await self._done.wait()
        self.batcher.close()


def wanted_by(artefact: Artefact, max_pixels: int) -> Wanted:
    return Wanted(artefact.reads_digits, artefact.shape, max_pixels)
