"""Errors as `application/problem+json` (RFC 9457). Each status means one thing; the README's table says which."""

from http import HTTPStatus
from typing import Any

import orjson
from starlette.responses import Response

from service.picture.fault import Fault, FaultKind

MEDIA_TYPE = "application/problem+json"

FAULTS = {
    FaultKind.EMPTY: HTTPStatus.BAD_REQUEST,
    FaultKind.UNSUPPORTED: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    FaultKind.TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    FaultKind.DAMAGED: HTTPStatus.UNPROCESSABLE_ENTITY,
}


class Problem(Exception):
    """An answer that is an error. `detail` names the offending value and what is allowed."""

    def __init__(self, status: HTTPStatus, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers

    def body(self) -> dict[str, Any]:
        return {
            "type": "about:blank",
            "title": self.status.phrase,
            "status": self.status.value,
            "detail": self.detail,
        }

    def content(self) -> bytes:
        return orjson.dumps(self.body())

    def response(self) -> Response:
        return Response(self.content(), self.status, self.headers, MEDIA_TYPE)


def of_fault(fault: Fault) -> Problem:
    """Of one file."""
    return Problem(FAULTS[fault.kind], fault.detail)


def out_of_memory() -> Problem:
    """The server's trouble, and for the moment."""
    return Problem(
        HTTPStatus.SERVICE_UNAVAILABLE, "no memory, or no process, is left for this request", {"Retry-After": "1"}
    )


def failed() -> Problem:
    return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "the service failed at this request; its log says more")
