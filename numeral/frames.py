"""Messages between a run and its processes: a length, and so many bytes of JSON.

No pickle: whoever has broken a decoder gets no further.
"""

import socket
import struct
from typing import Any

import orjson

HEAD = struct.Struct("!I")


def send(channel: socket.socket, message: object) -> None:
    content = orjson.dumps(message)
    channel.sendall(HEAD.pack(len(content)) + content)


def receive(channel: socket.socket) -> Any:
    """Raises EOFError where the other end is closed, TimeoutError where it takes longer than the socket waits."""
    (length,) = HEAD.unpack(read_exactly(channel, HEAD.size))
    return orjson.loads(read_exactly(channel, length))


def read_exactly(channel: socket.socket, count: int) -> bytes:
    pieces = []
    while count:
        piece = channel.recv(min(count, 1_000_000))
        if not piece:
            raise EOFError("the other end is closed")
        pieces.append(piece)
        count -= len(piece)
    return b"".join(pieces)
