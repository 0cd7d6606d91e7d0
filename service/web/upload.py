"""Takes the files out of a request: multipart, any field name, or a raw body. All in memory, nothing fetched."""

from email.message import Message
from http import HTTPStatus
from typing import NamedTuple

from multipart import MultipartError, MultipartSegment, ParserLimitReached, PushMultipartParser
from starlette.requests import ClientDisconnect, Request

from service.settings import Settings
from service.web.problem import Problem
from service.web.time_limit import TimeLimit

TEXT_FIELDS = 64
"""That a form may hold beside its files."""

PART_HEADERS = 8
PART_HEADER_BYTES = 4224
"""Of each header of a part; a file name is in one."""

DRAINED = 10
"""A body of up to so many times the limit is read to its end and thrown away, so that the client gets to read the
answer: a server that stops reading resets the connection under it."""


class Upload(NamedTuple):
    """`filename` is the client's word, None for a raw body; it is only repeated in the answer."""

    content: bytes
    filename: str | None = None


class Part(NamedTuple):
    name: str
    filename: str | None
    content: bytes


async def read_uploads(request: Request, settings: Settings, limit: TimeLimit) -> list[Upload]:
    """At least one. Raises Problem: 400 malformed, empty or without a file, 408 too slow, 413 past a limit."""
    try:
        with limit.start():
            body = await read_body(request, settings.max_body_bytes)
    except TimeoutError as error:
        raise Problem(
            HTTPStatus.REQUEST_TIMEOUT, f"the upload did not arrive within {settings.read_timeout_ms} ms"
        ) from error
    except ClientDisconnect as error:
        raise Problem(HTTPStatus.BAD_REQUEST, "the client closed the connection within its upload") from error
    boundary = boundary_of(request.headers.get("content-type", ""))
    if boundary is None:
        if not body:
            raise Problem(
                HTTPStatus.BAD_REQUEST, "the request has no body; send an image, raw or as multipart/form-data"
            )
        return [Upload(body)]
    parts = parse_multipart(body, boundary, settings.max_files + TEXT_FIELDS)
    uploads = files_of(parts)
    if len(uploads) > settings.max_files:
        raise Problem(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"the form holds {len(uploads)} files; the limit is {settings.max_files}",
        )
    return uploads


async def read_body(request: Request, limit: int) -> bytes:
    """Raises Problem 413 past `limit`, whether the length was announced or the body comes in chunks."""
    announced = request.headers.get("content-length", "0")
    size = int(announced) if announced.isdecimal() else 0
    chunks: list[bytes] = []
    if size <= limit * DRAINED:
        received = 0
        more = True
        while more and received <= limit * DRAINED:
            message = await request.receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            chunk, more = message.get("body", b""), message.get("more_body", False)
            received += len(chunk)
            if received <= limit:
                chunks.append(chunk)
        size = max(size, received)
    if size > limit:
        raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body has {size:,} bytes; the limit is {limit:,}")
    return b"".join(chunks)


def boundary_of(content_type: str) -> str | None:
    """None where it is of no form. Raises Problem 400 where a form has none."""
    if not content_type.lower().startswith("multipart/form-data"):
        return None
    # The standard library takes the odd boundaries that some clients make up.
    message = Message()
    message["content-type"] = content_type
    boundary = message.get_boundary()
    if not boundary:
        detail = f"the content type is {content_type[:80]!r}; a form needs a boundary, '; boundary=NAME'"
        raise Problem(HTTPStatus.BAD_REQUEST, detail)
    return boundary


def parse_multipart(body: bytes, boundary: str, limit: int) -> list[Part]:
    """Raises Problem: 400 where the body is not what its boundary says, 413 past `limit` parts or a part's headers."""
    parts: list[Part] = []
    segment, content = None, b""
    try:
        with parser_of(boundary) as parser:
            for event in parser.parse(body):
                if isinstance(event, MultipartSegment):
                    segment, content = event, b""
                    if len(parts) == limit:
                        detail = f"the form has more than {limit} parts; that is the limit"
                        raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)
                elif event is not None:
                    content = event  # all of it, as the body is whole
                elif segment:
                    parts.append(Part(text(segment.name), segment.filename and text(segment.filename), content))
    except ParserLimitReached as error:
        detail = (
            f"the headers of a part are too long; a part may have {PART_HEADERS}, each of {PART_HEADER_BYTES:,} bytes"
        )
        raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail) from error
    except MultipartError as error:
        detail = f"the multipart body is malformed: {error}; its boundary is {boundary[:40]!r}"
        raise Problem(HTTPStatus.BAD_REQUEST, detail) from error
    return parts


def parser_of(boundary: str) -> PushMultipartParser:
    return PushMultipartParser(
        boundary.encode("utf-8", "replace"),
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
