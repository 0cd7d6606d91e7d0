"""One process of `service.fleet.preparers`: `python -m service.fleet.preparer SOCKET BYTES`.

It reads jobs from the socket and writes back what became of them, one at a time, until its server closes the other end.
The way back holds no pickle: whoever has broken a decoder gets no further.
"""

import functools
import os
import resource
import socket
import struct
import sys

import numpy as np
import orjson
import psutil

from service.fleet.lifeline import end_with_parent
from service.picture.fault import Fault, FaultKind
from service.picture.prepare import Prepared, Wanted, prepare, warm_up

# Of a job and of an answer alike: the lengths of a JSON text and of the bytes behind it.
HEAD = struct.Struct("!II")

READY = b"R"

# In place of an answer's head, where there was too little memory. The process ends: what it has left may be in pieces.
GONE = HEAD.pack(0, 0)


def pack_job(content: bytes, wanted: Wanted) -> list[bytes]:
    text = pack_wanted(wanted)
    return [HEAD.pack(len(text), len(content)) + text, content]


@functools.cache
def pack_wanted(wanted: Wanted) -> bytes:
    return orjson.dumps(wanted._asdict())


@functools.cache
def unpack_wanted(text: bytes) -> Wanted:
    values = orjson.loads(text)
    return Wanted(**{**values, "shape": tuple(values["shape"])})


def pack_prepared(prepared: Prepared) -> bytes:
    pixels = prepared.pixels
    shape = None if pixels is None else pixels.shape
    fault = prepared.fault and (prepared.fault.kind.value, prepared.fault.detail)
    text = orjson.dumps({**prepared._asdict(), "pixels": shape, "fault": fault})
    content = b"" if pixels is None else pixels.tobytes()
    return b"".join([HEAD.pack(len(text), len(content)), text, content])


def unpack_prepared(text: bytes, content: bytes) -> Prepared:
    values = orjson.loads(text)
    shape, fault = values["pixels"], values["fault"]
    made = {
        "pixels": None if shape is None else np.frombuffer(content, np.uint8).reshape(shape),
        "assumed": tuple(values["assumed"]),
        "dropped": tuple(map(tuple, values["dropped"])),
        "fault": fault and Fault(FaultKind(fault[0]), fault[1]),
    }
    return Prepared(**{**values, **made})


def main(arguments: list[str]) -> None:
    end_with_parent()
    channel = socket.socket(fileno=int(arguments[0]))
    # libtiff can be made to write gigabytes of warnings.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    warm_up()
    limit_memory(int(arguments[1]))
    with channel:
        channel.sendall(READY)
        while head := channel.recv(HEAD.size, socket.MSG_WAITALL):
            text_size, content_size = HEAD.unpack(head)
            wanted = unpack_wanted(channel.recv(text_size, socket.MSG_WAITALL))
            try:
                prepared = prepare(channel.recv(content_size, socket.MSG_WAITALL), wanted)
            except MemoryError:
                channel.sendall(GONE)
                return
            channel.sendall(pack_prepared(prepared))


def limit_memory(more: int) -> None:
    """Bytes of private memory beside what there is now. Only Linux holds a process to it."""
    if sys.platform == "linux":
        held = psutil.Process().memory_info().data
        resource.setrlimit(resource.RLIMIT_DATA, (held + more, held + more))


if __name__ == "__main__":
    main(sys.argv[1:])
