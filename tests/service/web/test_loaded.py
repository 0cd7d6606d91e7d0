"""A model that is replaced stays until all are answered that have taken it."""

import asyncio

from service.fleet.board import Board
from service.fleet.metrics import Metrics, columns
from service.model import artefact
from service.model.engine import Engine
from service.settings import Settings
from service.web.loaded import Loaded
from tests.harness import ROOT


def test_it_retires_with_its_last_user() -> None:
    models = {"alexnet": tuple("0123456789")}

    async def scenario() -> list[bool]:
        engine = Engine(artefact.load(ROOT / "exported/alexnet"), "cpu", threads=1, max_batch=4)
        loaded = Loaded(engine, Settings(), Metrics(models, Board(columns(models)), 0))
        with loaded:  # one that came and went before does not count
            pass
        retired = []
        with loaded:
            with loaded:
                ends = asyncio.ensure_future(loaded.retire())
                await asyncio.sleep(0.01)
                retired.append(ends.done())
            await asyncio.sleep(0.01)
            retired.append(ends.done())
        await asyncio.sleep(0.01)
        retired.append(ends.done())
        await loaded.retire()
        return retired

    assert asyncio.run(scenario()) == [False, False, True]
