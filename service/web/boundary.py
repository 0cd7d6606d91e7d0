"""The outermost layer: answers uploads, makes every error a problem, and counts each request.

BentoML and Starlette answer some errors themselves, as plain text or as a list of one object. Their way to an API
(a schema built for each answer, signatures inspected for each call) takes longer than a small network, so uploads
do not take it.
"""

import logging
import time
import traceback
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from starlette.datastructures import State
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.fleet.metrics import PATHS
from service.model.batcher import InferenceError
from service.web import problem
from service.web.access_log import ENTRY, line_of
from service.web.problem import MEDIA_TYPE, Problem
from service.web.request_id import HEADER, begin, current, trace_of
from service.web.upload import PATH
from service.web.worker import Worker

logger = logging.getLogger("numeral")

METHODS = ("POST", "PUT")


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
        request_id = begin(scope["headers"])
        if worker.access_log:
            scope[ENTRY] = {}
        worker.board.add_requests(1)
        upload = is_upload(scope["method"], scope["path"])
        # What stands where the answer fails outside `answer_to`.
        status, size = HTTPStatus.INTERNAL_SERVER_ERROR.value, 0
        try:
            status, size = await self.answer(scope, receive, send, request_id, upload)
        finally:
            worker.board.add_requests(-1)
            seconds = time.perf_counter() - started
            worker.metrics.answered(PATH if upload else scope["path"], status, seconds)
            if worker.access_log:
                worker.access_log.write(line_of(scope, request_id, status, size, seconds))

    async def answer(
        self, scope: Scope, receive: Receive, send: Send, request_id: str, upload: bool
    ) -> tuple[int, int]:
        """The status, and the bytes of the body."""
        worker: Worker = self.state.worker
        refusal = worker.gate.refusal(scope) if worker.gate else None
        if refusal is None and not upload:
            sender = ProblemSender(scope, send, (HEADER, request_id.encode()))
            await self.app(scope, receive, sender)
            return sender.status, sender.size
        asked = Request(scope, receive)
        response = refusal.response(scope["path"]) if refusal else await answer_to(asked, worker.classifier.classify)
        if worker.balance.wants_to_close():
            response.headers["Connection"] = "close"
        response.raw_headers.append((HEADER, request_id.encode()))
        await response(scope, receive, send)
        return response.status_code, len(response.body)


def is_upload(method: str, path: str) -> bool:
    """`curl -T FILE` puts; to an address with a slash at its end it appends the name of the file."""
    if path == PATH:
        return method in METHODS
    return method == "PUT" and path.startswith(PATH + "/") and "/" not in path[len(PATH) + 1 :]


async def answer_to(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
    """By `answer`, or by the problem that it raises."""
    path = request.scope["path"]
    try:
        return await answer(request)
    except Problem as error:
        let_go(error)
        return error.response(path)
    except InferenceError:
        logger.error("%s failed with its batch", name_of(request))
        return problem.failed().response(path)
    except MemoryError:
        return problem.out_of_memory().response(path)
    except Exception:  # an answer is owed, whatever went wrong
        logger.exception("%s failed", name_of(request))
        return problem.failed().response(path)


def name_of(request: Request) -> str:
    """For the log."""
    trace = trace_of(request.scope["headers"])
    return f"request {current.get()}" + (f" of trace {trace}" if trace else "")


def let_go(error: BaseException) -> None:
    """Of the upload. Its frames hold it, and a parser may hold the error in turn, until a full collection, which is
    rare: two hundred refused photos would take a gigabyte."""
    chained: BaseException | None = error
    while chained:
        traceback.clear_frames(chained.__traceback__)
        chained = chained.__cause__ or chained.__context__


class ProblemSender:
    """Passes an answer on, or sends a problem in place of an error that is none."""

    def __init__(self, scope: Scope, send: Send, header: tuple[bytes, bytes]) -> None:
        self.scope = scope
        self.send = send
        self.header = header
        self.status = 0
        self.size = 0
        self.replaced = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message = {**message, "headers": [*message["headers"], self.header]}
            content_type = dict(message["headers"]).get(b"content-type", b"").decode("latin-1")
            if self.status == HTTPStatus.TEMPORARY_REDIRECT:  # Starlette's, from an address with a slash too many
                self.status = HTTPStatus.NOT_FOUND
            if self.status >= HTTPStatus.BAD_REQUEST and not content_type.startswith(MEDIA_TYPE):
                self.replaced = True
                await self.send_problem(message)
                return
        if not self.replaced:
            self.size += len(message.get("body", b""))
            await self.send(message)

    async def send_problem(self, start: Message) -> None:
        body = Problem(HTTPStatus(self.status), detail(self.status, self.scope)).content(self.scope["path"])
        self.size = len(body)
        replaced = (b"content-type", b"content-length", b"location")
        kept = [(name, value) for name, value in start["headers"] if name not in replaced]
        if self.status == HTTPStatus.METHOD_NOT_ALLOWED and self.scope["path"] == PATH:
            # BentoML knows of one method of its API.
            kept = [header for header in kept if header[0] != b"allow"] + [(b"allow", ", ".join(METHODS).encode())]
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
