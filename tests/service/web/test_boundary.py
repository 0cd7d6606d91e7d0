"""What fails outside of all that makes an answer of it is counted and logged too."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.datastructures import State
from starlette.types import Message, Receive, Scope, Send

from service.fleet import metrics
from service.fleet.board import Board
from service.fleet.metrics import Metrics
from service.web.boundary import Boundary

MODELS = {"a": "01"}


async def failing(scope: Scope, receive: Receive, send: Send) -> None:
    raise LookupError("no route fails like this")


async def receive() -> Message:
    return {"type": "http.request"}


async def send(message: Message) -> None:
    raise AssertionError("nothing is sent")


def test_a_failure_of_the_app_itself_is_counted_and_logged() -> None:
    board = Board(metrics.columns(MODELS))
    counts, lines = Metrics(MODELS, board, 0), list[Any]()
    worker = SimpleNamespace(metrics=counts, board=board, gate=None, access_log=SimpleNamespace(write=lines.append))
    boundary = Boundary(failing, State({"worker": worker}))
    scope: Scope = {"type": "http", "method": "GET", "path": "/", "raw_path": b"/", "headers": [], "client": None}
    with pytest.raises(LookupError):
        asyncio.run(boundary(scope, receive, send))
    assert counts.by_series("numeral_requests")["/", "500"].tolist() == [1]
    assert [(line["path"], line["status"]) for line in lines] == [("/", 500)]
