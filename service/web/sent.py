"""What a request holds, once it has arrived."""

from collections.abc import Mapping
from typing import NamedTuple


class Upload(NamedTuple):
    """`filename` is the client's word, None where there is none; it is only repeated in the answer."""

    content: bytes
    filename: str | None = None


class Sent(NamedTuple):
    """At least one upload. `options`: what is asked for beside them, by the names that the address has for it.

    `listed`: a list is owed, of however few.
    """

    uploads: list[Upload]
    options: Mapping[str, str] = {}
    listed: bool = False
