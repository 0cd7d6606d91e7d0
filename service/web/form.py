"""Takes files and options out of a form, multipart/form-data (RFC 7578)."""

from collections.abc import Mapping
from email.message import Message
from http import HTTPStatus
from typing import NamedTuple

from multipart import MultipartError, MultipartSegment, ParserLimitReached, PushMultipartParser

from service.web.asked import OPTIONS, joined
from service.web.problem import Problem
from service.web.sent import Sent, Upload

# Text fields that a form may hold beside its files.
TEXT_FIELDS = 64

# Headers of a part, and bytes of each; a file name is in one. Of all parts together there may be fewer: to take a
# header apart takes a hundred times as long as to read it.
PART_HEADERS = 8
PART_HEADER_BYTES = 4224
FORM_HEADER_BYTES = 131_072

# Bytes of the Content-Type. Taking one apart is slow beyond measure where it is long and odd; none is ever long.
CONTENT_TYPE_BYTES = 512

# Of the value of an option; none that is allowed is near it.
OPTION_BYTES = 1024


class Part(NamedTuple):
    name: str
    filename: str | None
    content: bytes


def read_form(body: bytes, delimiter: str, max_files: int) -> Sent:
    """Raises Problem: 400 malformed or without a file, 413 past a limit."""
    parts = parse_multipart(body, delimiter, max_files + TEXT_FIELDS)
    uploads = files_of(parts)
    if len(uploads) > max_files:
        detail = f"the form holds {len(uploads)} files; the limit is {max_files} (NUMERAL_MAX_FILES)"
        raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)
    return Sent(uploads, options_in(parts))


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
    if not uploads:
        named = ", ".join(repr(name[:40]) for name in fields[:5])
        found = f"it has text fields only: {named}" if fields else "it has no parts"
        raise Problem(
            HTTPStatus.BAD_REQUEST, f"the form holds no file, {found}; send one, as with curl -F image=@digit.png"
        )
    return uploads


def options_in(parts: list[Part]) -> Mapping[str, str]:
    """The text fields that have an option's name. Raises Problem 400 where two have it and differ."""
    options: Mapping[str, str] = {}
    for part in parts:
        if part.filename is None and part.name in OPTIONS:
            value = plain(part.content[:OPTION_BYTES].decode("utf-8", "replace"))
            options = options if value is None else joined(options, {part.name: value})
    return options


def plain(value: str) -> str | None:
    """BentoML's client writes each field as JSON: a text in quotes, and null for what was left out."""
    if value == "null":
        return None
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value
