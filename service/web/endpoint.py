"""From a handler to what a route of Starlette calls: the worker is handed in, and a problem is an answer."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from service.web.boundary import answer_to
from service.web.problem import json_text
from service.web.worker import Worker

Handler = Callable[[Request, Worker], Awaitable[Response]]


def endpoint(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        worker: Worker = request.app.state.worker
        response = await answer_to(request, lambda asked: handler(asked, worker))
        if worker.balance.wants_to_close():
            response.headers["Connection"] = "close"
        return response

    return answer


def json_response(value: object) -> Response:
    return Response(json_text(value), media_type="application/json")
