"""Errors as `application/problem+json` (RFC 9457). Each status means one thing; the README's table says which."""

from http import HTTPStatus
from typing import Any

import orjson
from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"


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

    def response(self) -> Response:
        return Response(orjson.dumps(self.body()), self.status, self.headers, MEDIA_TYPE)
