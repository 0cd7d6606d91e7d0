"""Errors as `application/problem+json` (RFC 9457). Each status means one thing; the table in docs/api.md says which."""

from http import HTTPStatus
from typing import Any

import orjson
from starlette.responses import Response

from service.picture.fault import Fault, FaultKind
from service.web.request_id import current

MEDIA_TYPE = "application/problem+json"

FAULTS = {
    FaultKind.EMPTY: HTTPStatus.BAD_REQUEST,
    FaultKind.UNSUPPORTED: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    FaultKind.TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    FaultKind.DAMAGED: HTTPStatus.UNPROCESSABLE_ENTITY,
}


class Problem(Exception):
    """An answer that is an error. `detail` names the offending value and what is allowed.

    The member `request_id` is an extension of the RFC's: its own, `instance`, is a URI, and a client's id need not be.
    """

    def __init__(self, status: HTTPStatus, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers

    def body(self, path: str = "", request_id: str | None = None) -> dict[str, Any]:
        """`path`: where it was asked. Clients of the Open Inference Protocol look for an `error`.

        `request_id`: that of what is no request; of one that is answered it is known.
        """
        for_v2 = {"error": self.detail} if f"{path}/".startswith("/v2/") else {}
        return {
            "type": "about:blank",
            "title": self.status.phrase,
            "status": self.status.value,
            "detail": self.detail,
            "request_id": request_id or current.get(),
            **for_v2,
        }

    def content(self, path: str = "", request_id: str | None = None) -> bytes:
        return json_text(self.body(path, request_id))

    def response(self, path: str = "") -> Response:
        return Response(self.content(path), self.status, self.headers, MEDIA_TYPE)


def json_text(value: object) -> bytes:
    """With a line end, so that a shell's prompt is not glued to what curl prints."""
    return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)


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
