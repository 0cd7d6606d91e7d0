"""Takes the files out of a request: a form, JSON or a raw body. All in memory, nothing fetched."""

import asyncio
from http import HTTPStatus

from starlette.requests import Request

from service.settings import Settings
from service.web.admission import Held
from service.web.form import delimiter_of, read_form
from service.web.json_body import is_json, read_json
from service.web.problem import Problem
from service.web.sent import Sent, Upload
from service.web.time_limit import TimeLimit

# Where uploads go, and characters of a file name behind it, as many as file systems allow.
PATH = "/classify"
NAME_CHARACTERS = 255

# A body of up to so many times the limit is read to its end and thrown away, so that the client gets to read the
# answer: a server that stops reading resets the connection under it.
DRAINED = 4

# An upload must begin within so many seconds, and from then on keep up with so many bytes a second on average. Those
# who send one now and then to keep a place are told apart by it from a poor line, which has a hundred times as many.
GRACE_SECONDS = 5
LEAST_BYTES_PER_SECOND = 1000


async def read_uploads(request: Request, settings: Settings, held: Held, begin: TimeLimit) -> Sent:
    """`held` grows by each byte that arrives. `begin`: until when the first must have.

    Raises Problem: 400 malformed, empty or without a file, 408 too slow, 413 past a limit, 414 an endless file name in
    the address, 429 no room, 431 an endless Content-Type.
    """
    content_type = header(request, b"content-type")
    delimiter = delimiter_of(content_type)
    filename = name_in(request.scope["path"])
    body = await read_body(request, settings, held, begin)
    if delimiter is not None:
        return read_form(body, delimiter, settings.max_files)
    if not body:
        detail = "the request has no body; send an image, raw, as multipart/form-data or as JSON"
        raise Problem(HTTPStatus.BAD_REQUEST, detail)
    return read_json(body, settings.max_files) if is_json(content_type, body) else Sent([Upload(body, filename)])


def name_in(path: str) -> str | None:
    """What follows /classify/, where `curl -T` puts the name of its file."""
    name = path[len(PATH) + 1 :]
    if len(name) > NAME_CHARACTERS:
        detail = f"the file name in the address has {len(name):,} characters; the limit is {NAME_CHARACTERS}"
        raise Problem(HTTPStatus.REQUEST_URI_TOO_LONG, detail)
    return name or None


async def read_body(request: Request, settings: Settings, held: Held, begin: TimeLimit) -> bytes:
    """Raises Problem 413 past the limit, whether the length was announced or the body comes in chunks.

    And 400 where the client has gone, 408, 429.
    """
    limit = settings.max_body_bytes
    announced = announced_bytes(request)
    if announced > DRAINED * limit:
        raise too_large(announced, limit)
    try:
        with begin.start():
            chunk, more = await next_chunk(request)
    except TimeoutError as error:
        raise too_slow(f"no byte of the upload came within {begin.seconds:g} s") from error
    if not more and len(chunk) <= limit:  # as most come: a timer of its own would cost every small upload time
        held.add(len(chunk))
        return chunk
    chunks, received = [], 0
    began = asyncio.get_running_loop().time()
    while True:
        received += len(chunk)
        if received <= limit:
            held.add(len(chunk))
            chunks.append(chunk)
        if not more or received > DRAINED * limit:
            break
        silent = asyncio.get_running_loop().time() - began + GRACE_SECONDS
        due = min(settings.read_timeout_ms / 1000, GRACE_SECONDS + received / LEAST_BYTES_PER_SECOND, silent)
        try:
            async with asyncio.timeout_at(began + due):
                chunk, more = await next_chunk(request)
        except TimeoutError as error:
            raise too_slow(
                f"{received:,} bytes of the upload came within {due:.1f} s; all must within "
                f"{settings.read_timeout_ms} ms, {LEAST_BYTES_PER_SECOND:,} a second, and some every {GRACE_SECONDS} s"
            ) from error
    if received > limit:
        raise too_large(max(received, announced), limit)
    return b"".join(chunks)


def header(request: Request, name: bytes) -> str:
    """Of those that the server has put in lower case; "" where there is none. Starlette's own way encodes the name and
    makes an object of all headers, for each request."""
    for each, value in request.scope["headers"]:
        if each == name:
            return str(value, "latin-1")
    return ""


def announced_bytes(request: Request) -> int:
    """0 where no length is announced, or none that is a number."""
    length = header(request, b"content-length")
    return int(length) if length.isdecimal() and len(length) < 20 else 0


async def next_chunk(request: Request) -> tuple[bytes, bool]:
    """And whether there are more. Raises Problem 400 where the client has gone."""
    message = await request.receive()
    if message["type"] == "http.disconnect":
        raise Problem(HTTPStatus.BAD_REQUEST, "the client closed the connection within its upload")
    return message.get("body", b""), message.get("more_body", False)


def too_large(size: int, limit: int) -> Problem:
    detail = f"the body has {size:,} bytes; the limit is {limit:,} (NUMERAL_MAX_BODY_BYTES)"
    return Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)


def too_slow(detail: str) -> Problem:
    return Problem(HTTPStatus.REQUEST_TIMEOUT, detail, {"Connection": "close"})
