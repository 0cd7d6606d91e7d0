"""No framework: the service's own batcher and JSON library, and decoding by Pillow, as in the other peers.

`uvicorn benchmarks.peers.plain_asgi:app`
"""

import numpy as np
import orjson
from starlette.types import Receive, Scope, Send

from benchmarks.peers.common import MAX_BATCH, answer, decode, open_session, run
from service.fleet import metrics
from service.fleet.board import Board
from service.fleet.metrics import Metrics
from service.model.batcher import Batcher

SESSION = open_session()
HEADERS = [(b"content-type", b"application/json")]


def batcher() -> Batcher:
    """To be made in the event loop."""
    model = "digits"
    models = {model: "0123456789"}
    counts = Metrics(models, Board(metrics.columns(models)), 0)
    return Batcher(model, lambda images: run(SESSION, images), MAX_BATCH, counts)


class App:
    batcher: Batcher | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(scope["type"])
        if self.batcher is None:
            self.batcher = batcher()
        body = b""
        more = scope["method"] == "POST"
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        content = b"ready"
        if body:
            pieces = await self.batcher.submit(decode(body)[np.newaxis])
            content = orjson.dumps(answer(pieces[0].probabilities[0]))
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        await send({"type": "http.response.body", "body": content})


app = App()
