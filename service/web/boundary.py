"""The outermost layer of ours: counts each request, makes every error a problem, and answers uploads.

BentoML and Starlette answer some errors themselves, as plain text or as a list of one object. Their way to an API
(a schema built for each answer, signatures inspected for each call) takes longer than a small network, so uploads
do not take it. Those of a browser do: they name their origin, and BentoML can be set to allow others (CORS).
"""

import time
from http import HTTPStatus

import orjson
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.fleet import metrics
from service.web.pages import reader
from service.web.problem import MEDIA_TYPE, Problem

PATHS = frozenset(
    {"/", "/classify", "/models", "/stats", "/metrics", "/livez", "/healthz", "/readyz", "/docs.json", "/schema.json"}
)
"""Any other path is counted as `other`: labels that a client can choose would grow without end."""


class Boundary:
    """An ASGI middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        if scope["path"] == "/classify" and scope["method"] == "POST" and not names_origin(scope):
            response = await reader().classify(Request(scope, receive))
            await response(scope, receive, send)
            status = response.status_code
        else:
            sender = ProblemSender(scope, send)
            await self.app(scope, receive, sender)
            status = sender.status
        path = scope["path"] if scope["path"] in PATHS else "other"
        metrics.requests(path, status).inc()
        metrics.request_seconds(path).observe(time.perf_counter() - started)


def names_origin(scope: Scope) -> bool:
    return any(name == b"origin" for name, _ in scope["headers"])


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
            content_type = dict(message["headers"]).get(b"content-type", b"").decode()
            if self.status >= 400 and not content_type.startswith(MEDIA_TYPE):
                self.replaced = True
                await self.send_problem(message)
                return
        if not self.replaced:
            await self.send(message)

    async def send_problem(self, start: Message) -> None:
        body = orjson.dumps(Problem(HTTPStatus(self.status), detail(self.status, self.scope)).body())
        kept = [(name, value) for name, value in start["headers"] if name not in (b"content-type", b"content-length")]
        own = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(body)).encode())]
        await self.send({**start, "headers": [*kept, *own]})
        await self.send({"type": "http.response.body", "body": body})


def detail(status: int, scope: Scope) -> str:
    match status:
        case HTTPStatus.NOT_FOUND:
            return f"there is nothing at {scope['path']}; there is: {', '.join(sorted(PATHS))}"
        case HTTPStatus.METHOD_NOT_ALLOWED:
            return f"{scope['method']} is not allowed at {scope['path']}; the Allow header says what is"
        case _:
            return "the service failed at this request; its log says more"
