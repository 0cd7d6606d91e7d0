"""Which request this is: what its answer, its problem and the log's lines about it have in common.

A client's `X-Request-ID` is taken over where it is 1 to 128 characters of visible ASCII, so that it breaks no header,
no line and no terminal; any other is replaced. Of a `traceparent` (W3C Trace Context) the log has the trace id.
"""

import itertools
import os
import re
from collections.abc import Iterable
from contextvars import ContextVar

Headers = Iterable[tuple[bytes, bytes]]

HEADER = b"x-request-id"

# Of the request that is being answered. Each is a task of its own, and so sees its own.
current: ContextVar[str] = ContextVar("current", default="")

_is_sane = re.compile(rb"[\x21-\x7e]{1,128}").fullmatch
_is_traceparent = re.compile(
    rb"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?"
).fullmatch

# Random, for each process; then a count, as a random id for each request would take longer than all else here.
_prefix = os.urandom(6).hex()
_count = itertools.count(1)


def make() -> str:
    return f"{_prefix}-{next(_count):x}"


def begin(headers: Headers) -> str:
    """The id of the request with these headers, which is `current` from now on."""
    for name, value in headers:
        if name == HEADER and _is_sane(value):
            chosen = value.decode()
            break
    else:
        chosen = make()
    current.set(chosen)
    return chosen


def trace_of(headers: Headers) -> str | None:
    """32 hexadecimal digits, where the client or a proxy traces this request."""
    for name, value in headers:
        if name == b"traceparent" and (found := _is_traceparent(value)):
            return found[1].decode()
    return None
