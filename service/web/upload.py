"""Takes the files out of a request: multipart, any field name, or a raw body. All in memory, nothing fetched."""

import asyncio
from email.message import Message
from http import HTTPStatus
from typing import NamedTuple

from multipart import MultipartError, MultipartSegment, ParserLimitReached, PushMultipartParser
from starlette.requests import ClientDisconnect, Request

from service.settings import Settings
from service.web.admission import Held
from service.web.problem import Problem
from service.web.time_limit import TimeLimit

# Text fields that a form may hold beside its files.
TEXT_FIELDS = 64

# Headers of a part, and bytes of each; a file name is in one. Of all parts together there may be fewer: to take a
# header apart takes a hundred times as long as to read it.
PART_HEADERS = 8
PART_HEADER_BYTES = 4224
FORM_HEADER_BYTES = 131_072

# Bytes of the Content-Type. Taking one apart is slow beyond measure where it is long and odd; none is ever long.
CONTENT_TYPE_BYTES = 512

# A body of up to so many times the limit is read to its end and thrown away, so that the client gets to read the
# answer: a server that stops reading resets the connection under it.
DRAINED = 10

# An upload must begin within so many seconds, and from then on keep up with so many bytes a second on average. Those
# who send one now and then to keep a place are told apart by it from a poor line, which has a hundred times as many.
GRACE_SECONDS = 5
LEAST_BYTES_PER_SECOND = 1000


class Upload(NamedTuple):
    """`filename` is the client's word, None for a raw body; it is only repeated in the answer."""

    content: bytes
    filename: str | None = None


class Part(NamedTuple):
    name: str
    filename: str | None
    content: bytes


async def read_uploads(request: Request, settings: Settings, held: Held, begin: TimeLimit) -> list[Upload]:
    """At least one; `held` grows by each byte that arrives. `begin`: until when the first must have.

    Raises Problem: 400 malformed, empty or without a file, 408 too slow, 413 past a limit, 429 no room, 431 an endless
    Content-Type.
    """
    delimiter = delimiter_of(request.headers.get("content-type", ""))
    try:
        body = await read_body(request, settings, held, begin)
    except ClientDisconnect as error:
        raise Problem(HTTPStatus.BAD_REQUEST, "the client closed the connection within its upload") from error
    if delimiter is None:
        if not body:
            raise Problem(
                HTTPStatus.BAD_REQUEST, "the request has no body; send an image, raw or as multipart/form-data"
            )
        return [Upload(body)]
    parts = parse_multipart(body, delimiter, settings.max_files + TEXT_FIELDS)
    uploads = files_of(parts)
    if len(uploads) > settings.max_files:
        raise Problem(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"the form holds {len(uploads)} files; the limit is {settings.max_files}",
        )
    return uploads


async def read_body(request: Request, settings: Settings, held: Held, begin: TimeLimit) -> bytes:
    """Raises Problem 413 past the limit, whether the length was announced or the body comes in chunks; 408, 429."""
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


def announced_bytes(request: Request) -> int:
    """0 where no length is announced, or none that is a number."""
    length = request.headers.get("content-length", "")
    return int(length) if length.isdecimal() and len(length) < 20 else 0


async def next_chunk(request: Request) -> tuple[bytes, bool]:
    """And whether there are more. Raises ClientDisconnect."""
    message = await request.receive()
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    return message.get("body", b""), message.get("more_body", False)


def too_large(size: int, limit: int) -> Problem:
    return Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body has {size:,} bytes; the limit is {limit:,}")


def too_slow(detail: str) -> Problem:
    return Problem(HTTPStatus.REQUEST_TIMEOUT, detail, {"Connection": "close"})


def delimiter_of(content_type: str) -> str | None:
    """None where it is of no form. Raises Problem 400 where a form has none, 431 where it cannot be told."""
    if len(content_type) > CONTENT_TYPE_BYTES:
        raise Problem(
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
            f"the Content-Type has {len(content_type):,} characters; the limit is {CONTENT_TYPE_BYTES}",
        )
    if not content_type.lower().startswith("multipart/form-data"):
        return None
    # The standard library takes the odd boundaries that some clients make up.
    message = Message()
    message["content-type"] = content_type
    try:
        delimiter = message.get_boundary()
    except (ValueError, TypeError):  # of a character set that is none, or parts of a value that do not fit
        delimiter = None
    if not delimiter:
        detail = f"the content type is {content_type[:80]!r}; a form needs a boundary, '; boundary=NAME'"
        raise Problem(HTTPStatus.BAD_REQUEST, detail)
    return delimiter


def parse_multipart(body: bytes, delimiter: str, limit: int) -> list[Part]:
    """Raises Problem: 400 where the body is not what its boundary says, 413 past `limit` parts or a part's headers."""
    parts: list[Part] = []
    segment, content, headers = None, b"", 0
    try:
        with parser_of(delimiter) as parser:
            for event in parser.parse(body):
                if isinstance(event, MultipartSegment):
                    segment, content = event, b""
                    headers += sum(len(name) + len(value) for name, value in event.headerlist)
                    if headers > FORM_HEADER_BYTES:
                        raise too_many_headers(f"of all parts together {FORM_HEADER_BYTES:,} bytes are allowed")
                    if len(parts) == limit:
                        detail = f"the form has more than {limit} parts; that is the limit"
                        raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)
                elif event is not None:
                    content = event  # all of it, as the body is whole
                elif segment:
                    parts.append(Part(text(segment.name), segment.filename and text(segment.filename), content))
    except ParserLimitReached as error:
        raise too_many_headers(f"a part may have {PART_HEADERS}, each of {PART_HEADER_BYTES:,} bytes") from error
    except MultipartError as error:
        detail = f"the multipart body is malformed: {error}; its boundary is {delimiter[:40]!r}"
        raise Problem(HTTPStatus.BAD_REQUEST, detail) from error
    return parts


def too_many_headers(allowed: str) -> Problem:
    return Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the headers of a part are too long; {allowed}")


def parser_of(delimiter: str) -> PushMultipartParser:
    return PushMultipartParser(
        delimiter.encode("utf-8", "replace"),
        max_header_size=PART_HEADER_BYTES,
        max_header_count=PART_HEADERS,
        # Any byte is a character in it: a name in another encoding than UTF-8 is no reason to refuse its file.
        header_charset="latin-1",
    )


def text(latin_1: str) -> str:
    return latin_1.encode("latin-1").decode("utf-8", "replace")


def files_of(parts: list[Part]) -> list[Upload]:
    """The parts with a file name, whatever the field is called. Raises Problem 400 where there is none."""
    uploads = [Upload(part.content, part.filename) for part in parts if part.filename is not None]
    fields = [part.name for part in parts if part.filename is None]
    if "model" in fields:
        raise Problem(
            HTTPStatus.BAD_REQUEST, "the form has a field 'model'; choose a model by the address: ?model=NAME"
        )
    if not uploads:
        named = ", ".join(repr(name[:40]) for name in fields[:5])
        found = f"it has text fields only: {named}" if fields else "it has no parts"
        raise Problem(
            HTTPStatus.BAD_REQUEST, f"the form holds no file, {found}; send one, as with curl -F image=@digit.png"
        )
    return uploads
