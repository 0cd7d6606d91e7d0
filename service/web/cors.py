"""Which pages of other origins a browser lets ask this service and read its answers (Fetch Standard, CORS protocol)."""

from collections.abc import Sequence
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

from service.web.boundary import METHODS
from service.web.open_inference.read import HEADER_LENGTH
from service.web.patience import ENVOY, GRPC
from service.web.problem import Problem
from service.web.request_id import HEADER, begin

# Seconds for which a browser need not ask again whether it may.
MAX_AGE = 600

ALLOWED_HEADERS = (
    "Authorization",
    "Content-Type",
    GRPC,
    HEADER_LENGTH,
    "Traceparent",
    "Tracestate",
    "X-API-Key",
    ENVOY,
    "X-Request-ID",
)
EXPOSED_HEADERS = (HEADER_LENGTH, "Retry-After", "Server-Timing", "WWW-Authenticate", "X-Request-ID")


class Cors(CORSMiddleware):
    """An ASGI middleware. No cookies: whoever is asked for a key sends it in a header."""

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=("GET", *METHODS),
            allow_headers=ALLOWED_HEADERS,
            expose_headers=EXPOSED_HEADERS,
            max_age=MAX_AGE,
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        response = super().preflight_response(request_headers)
        if response.status_code != HTTPStatus.BAD_REQUEST:
            return response
        said, origin = bytes(response.body).decode(), request_headers["origin"][:80]
        headers = {"Vary": "Origin", HEADER.decode(): begin(request_headers.raw)}
        detail = f"{said}: {origin!r}; allowed: {', '.join(self.allow_origins)}"
        return Problem(HTTPStatus.BAD_REQUEST, detail, headers).response()
