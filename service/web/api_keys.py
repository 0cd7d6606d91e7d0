"""The keys that let a client in, where `NUMERAL_API_KEY_FILE` names any: one a line, each as good as the others.

Of a key only its SHA-256 is kept. The file is read once, at the start of the server: its workers read what was taken of
it then, so that one which is replaced lets in whom the others do.
"""

import hmac
import re
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path

from service.errors import StartError

FILE = "api_keys"

MOST_KEYS = 100
MOST_BYTES = 65_536

# Too short a key can be guessed; what is not visible cannot be sent, or not be told apart.
_is_key = re.compile(rb"[\x21-\x7e]{16,256}").fullmatch
_bearer = re.compile(rb"bearer +(\S+) *", re.IGNORECASE).fullmatch

DIGEST = sha256().digest_size


class ApiKeys:
    def __init__(self, digests: Sequence[bytes]) -> None:
        self._digests = digests

    def find(self, headers: Iterable[tuple[bytes, bytes]]) -> int | None:
        """Which of the keys is sent, None where none is. Takes as long for each that is wrong."""
        found = None
        for sent in map(_sha256, sent_keys(headers)):
            for number, digest in enumerate(self._digests):
                if hmac.compare_digest(sent, digest):
                    found = number
        return found


def sent_keys(headers: Iterable[tuple[bytes, bytes]]) -> list[bytes]:
    """`Authorization: Bearer KEY`, and `X-API-Key: KEY`."""
    sent = []
    for name, value in headers:
        if name == b"x-api-key":
            sent.append(value)
        elif name == b"authorization" and (bearer := _bearer(value)):
            sent.append(bearer[1])
    return sent


def read(path: Path) -> list[bytes]:
    """The digests of the keys in a file. Raises StartError, which names no key."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise StartError(f"NUMERAL_API_KEY_FILE is {str(path)!r}, which cannot be read: {error.strerror}") from error
    lines = {number: line.strip() for number, line in enumerate(content.splitlines(), start=1) if line.strip()}
    if len(content) > MOST_BYTES or not 0 < len(lines) <= MOST_KEYS:
        raise StartError(f"{path} has {len(lines)} keys; allowed: one a line, 1 to {MOST_KEYS}, {MOST_BYTES:,} bytes")
    for number, line in lines.items():
        if not _is_key(line):
            detail = f"line {number} of {path} is no key: it has {len(line)} bytes"
            raise StartError(f"{detail}; allowed: 16 to 256 characters of visible ASCII")
    return [_sha256(line) for line in lines.values()]


def take(path: Path, shared: Path) -> None:
    """To be called once, at the server's start. Raises StartError."""
    digests = read(path)
    try:
        (shared / FILE).write_bytes(b"".join(digests))
    except OSError as error:
        raise StartError(f"{shared / FILE} cannot be written: {error}") from error


def taken(shared: Path) -> list[bytes]:
    content = (shared / FILE).read_bytes()
    return [content[start : start + DIGEST] for start in range(0, len(content), DIGEST)]


def _sha256(key: bytes) -> bytes:
    return sha256(key).digest()
