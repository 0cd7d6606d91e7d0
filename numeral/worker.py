"""One process of `numeral.workers`: `python -m numeral.worker SOCKET OPTIONS`.

It reads lists of paths from the socket and writes back a row for each file, until the other end is closed.
"""

import os
import signal
import socket
import sys

import orjson

from numeral.frames import receive, send
from numeral.reader import Reader
from service.errors import StartError
from service.fleet.preparer import limit_memory
from service.fleet.preparers import BYTES_A_PIXEL, BYTES_BESIDE
from service.picture.prepare import warm_up


def main(arguments: list[str]) -> None:
    channel = socket.socket(fileno=int(arguments[0]))
    # Ctrl-C is for the process that a user started; this one ends as that closes the socket.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # libtiff can be made to write gigabytes of warnings.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    try:
        reader = Reader(**orjson.loads(arguments[1]), provider="cpu", threads=1)
        reader.warm_up()
        warm_up()
    except (StartError, RuntimeError) as error:
        send(channel, {"error": str(error)})
        return
    memory = BYTES_BESIDE + BYTES_A_PIXEL * reader.max_pixels
    limit_memory(memory)
    send(channel, {"model": reader.model._asdict()})
    with channel:
        answer_all(channel, reader, memory)


def answer_all(channel: socket.socket, reader: Reader, memory: int) -> None:
    while True:
        try:
            job = receive(channel)
        except EOFError:
            return
        # A path is bytes, which JSON has none of.
        paths = [os.fsdecode(path.encode("latin-1")) for path in job["paths"]]
        try:
            rows = [reading.as_row() for reading in reader.read_many(paths, explain=job["explain"])]
        except MemoryError:
            error = f"the image takes more than {memory:,} bytes of memory to decode, which is the limit"
            send(channel, {"error": error})
            return
        send(channel, {"rows": rows})


if __name__ == "__main__":
    main(sys.argv[1:])
