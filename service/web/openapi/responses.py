"""What an operation is answered with."""

from typing import Any

from service.web.problem import MEDIA_TYPE

Schema = dict[str, Any]

# A word on each status that is a problem; docs/api.md has more.
MEANS = {
    400: "the request cannot be understood",
    401: "a key is needed, and none or a wrong one was sent",
    403: "from a page of another site, or not done here",
    404: "no such address, model or version, or nothing that is done here",
    405: "not with this method",
    408: "the request did not arrive in time",
    413: "past a limit: bytes, chunks, pixels, memory, files",
    414: "the query or a file name in the address is too long",
    415: "no image of a supported format, or a compressed body",
    422: "an image that cannot be decoded, or a new model that is refused",
    429: "too much is in work; try again",
    431: "the head of the request is too long",
    500: "the service failed",
    503: "no memory, or no connection, is left; try again",
    504: "no answer within the deadline",
    507: "no room for another correction",
}

# Of broken, slow or endless HTTP, of a server that is full or has a fault: these may come of any request.
OF_ANY_REQUEST = (400, 408, 413, 431, 500, 503)

REQUEST_ID = {
    "X-Request-ID": {"description": "the client's where it is sane, else one of ours", "schema": {"type": "string"}}
}
RETRY_AFTER = {"Retry-After": {"description": "seconds", "schema": {"type": "string"}}}
SERVER_TIMING = {
    "Server-Timing": {
        "description": "milliseconds of each stage of the request, as W3C's Server Timing has it",
        "schema": {"type": "string"},
    }
}


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def found(description: str, content: Schema, headers: Schema | None = None) -> Schema:
    """content: schemas by media type."""
    answer = {"description": description, "content": {kind: {"schema": schema} for kind, schema in content.items()}}
    return {"200": {**answer, "headers": {**REQUEST_ID, **(headers or {})}}}


def problems(*statuses: int) -> Schema:
    """Of any request, and `statuses` beside these."""
    return {str(status): problem(status) for status in sorted({*OF_ANY_REQUEST, *statuses})}


def problem(status: int) -> Schema:
    return {
        "description": MEANS[status],
        "content": {MEDIA_TYPE: {"schema": ref("Problem")}},
        "headers": {**REQUEST_ID, **(RETRY_AFTER if status in (429, 503) else {})},
    }
