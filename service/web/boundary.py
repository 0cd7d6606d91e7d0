"""The outermost layer of ours: answers uploads, makes every error a problem, and counts each request.

BentoML and Starlette answer some errors themselves, as plain text or as a list of one object. Their way to an API
(a schema built for each answer, signatures inspected for each call) takes longer than a small network, so uploads
do not take it.
"""

import logging
import time
import traceback
from http import HTTPStatus

from starlette.datastructures import State
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.fleet.metrics import PATHS
from service.model.batcher import InferenceError
from service.web import problem
from service.web.classify import Classifier
from service.web.problem import MEDIA_TYPE, Problem
from service.web.worker import Worker

logger = logging.getLogger("numeral")


class Boundary:
    """An ASGI middleware. `state.worker` is there from the worker's start on, before the first request."""

    def __init__(self, app: ASGIApp, state: State) -> None:
        self.app = app
        self.state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        worker: Worker = self.state.worker
        if scope["path"] == "/classify" and scope["method"] == "POST":
            response = await answer_to(Request(scope, receive), worker.classifier)
            if worker.balance.wants_to_close():
                response.headers["Connection"] = "close"
            await response(scope, receive, send)
            status = response.status_code
        else:
            sender = ProblemSender(scope, send)
            await self.app(scope, receive, sender)
            status = sender.status
        worker.metrics.answered(scope["path"], status, time.perf_counter() - started)


async def answer_to(request: Request, classifier: Classifier) -> Response:
    try:
        return await classifier.classify(request)
    except Problem as error:
        let_go(error)
        return error.response()
    except InferenceError:
        return problem.failed().response()
    except MemoryError:
        return problem.out_of_memory().response()
    except Exception:  # an answer is owed, whatever went wrong
        logger.exception("a request failed")
        return problem.failed().response()


def let_go(error: BaseException) -> None:
    """Of the upload. Its frames hold it, and a parser may hold the error in turn, until a full collection, which is
    rare: two hundred refused photos would take a gigabyte."""
    chained: BaseException | None = error
    while chained:
        traceback.clear_frames(chained.__traceback__)
        chained = chained.__cause__ or chained.__context__


class ProblemSender:
    """Passes an answer on, or sends a problem in place of an error that is none."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self.scope = scope
        self.send = send
        self.status = 0
        self.replaced = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            content_type = dict(message["headers"]).get(b"content-type", b"").decode("latin-1")
            if self.status == HTTPStatus.TEMPORARY_REDIRECT:  # Starlette's, from an address with a slash too many
                self.status = HTTPStatus.NOT_FOUND
            if self.status >= HTTPStatus.BAD_REQUEST and not content_type.startswith(MEDIA_TYPE):
                self.replaced = True
                await self.send_problem(message)
                return
        if not self.replaced:
            await self.send(message)

    async def send_problem(self, start: Message) -> None:
        body = Problem(HTTPStatus(self.status), detail(self.status, self.scope)).content()
        replaced = (b"content-type", b"content-length", b"location")
        kept = [(name, value) for name, value in start["headers"] if name not in replaced]
        own = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(body)).encode())]
        await self.send({**start, "status": self.status, "headers": [*kept, *own]})
        await self.send({"type": "http.response.body", "body": body})


def detail(status: int, scope: Scope) -> str:
    match status:
        case HTTPStatus.NOT_FOUND:
            return f"there is nothing at {scope['path'][:80]!r}; there is: {', '.join(sorted(PATHS))}"
        case HTTPStatus.METHOD_NOT_ALLOWED:
            return f"{scope['method']} is not allowed at {scope['path']}; the Allow header says what is"
        case _:
            return problem.failed().detail
