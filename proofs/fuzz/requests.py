"""Requests that were changed at random, sent to a real server by raw sockets: `python -m proofs.fuzz.requests`.

Heads, chunked bodies, forms, JSON and inference requests, whole as they go over a connection. A finding is an answer
with a status of 500 or more, none (nor an end of the connection) within a second where the request is whole or no HTTP,
a worker that ended, and an error in the log. Each is saved; `--only NUMBER` sends one again. The last line has the
counts; the exit code is 1 where there are findings.
"""

import asyncio
import json
import random
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httptools
import tyro

from proofs.fuzz.mutate import CHANGES
from proofs.mixture import as_form, as_json, digit, photo, raw
from proofs.served import Served, served
from tests.harness import address
from tests.hostile_requests import INFER, chunked, post

SECONDS = 1.0
# For an answer to a request that is not whole, which may come or not.
MOMENT = 0.02
AT_A_TIME = 8

Chance = random.Random


@dataclass(frozen=True)
class Arguments:
    requests: int = 20_000
    seed: int | None = None
    """of all changes; one at random, which is printed, where none is given"""
    only: int | None = None
    """send this one alone"""
    out: Path = Path("runs/fuzz")
    """for requests that were findings"""


@dataclass
class Result:
    sent: int = 0
    whole: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    findings: list[tuple[int, str]] = field(default_factory=list)


def originals() -> list[bytes]:
    tensor = b'{"inputs":[{"name":"images","shape":[1,28,28],"datatype":"UINT8","data":[' + b"0," * 783 + b"0]}]}"
    binary = tensor[: tensor.index(b',"data"')] + b',"parameters":{"binary_data_size":784}}]}'
    one = digit(3)
    gets = [
        "/livez",
        "/models",
        "/stats",
        "/metrics",
        "/docs.json",
        "/v2",
        "/v2/models/googlenet",
        "/",
        "/page/main.js",
    ]
    return [
        *(f"GET {path} HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n".encode() for path in gets),
        raw(one),
        raw(one, "?model=alexnet&explain=1"),
        raw(photo(2, "JPEG")),
        raw(one).replace(b"POST /classify", b"PUT /classify/a.png", 1),
        as_form(one),
        as_form(one, digit(4), b"no picture", photo(5, "PNG")),
        as_json(one),
        chunked(b"%x\r\n%b\r\n0\r\n\r\n" % (len(one), one)),
        chunked(b"5;a=b\r\n" + one[:5] + b"\r\n%x\r\n" % (len(one) - 5) + one[5:] + b"\r\n0\r\nA: b\r\n\r\n"),
        post(tensor, "Content-Type: application/json", path=INFER),
        post(binary + bytes(784), f"Inference-Header-Content-Length: {len(binary)}", path=INFER),
        post(one, path="/feedback?label=3"),
        raw(one) * 3,
    ]


VALUES = (
    b"chunked", b"identity", b"gzip, chunked", b"0", b"-1", b"1", b"00000012", b"99999999999999999999", b"+5", b"0x5",
    b"close", b"keep-alive", b"upgrade", b"websocket", b"100-continue", b"application/json", b"text/plain", b"",
    b"multipart/form-data", b"multipart/form-data; boundary=", b'multipart/form-data; boundary="x', b"*/*", b"\xff\xfe",
    b"multipart/form-data; boundary=x; boundary=y", b"a" * 5000, b"bytes=0-5", b"utf-7", b"\0",
)  # fmt: skip
NAMES = (
    b"Content-Length", b"Transfer-Encoding", b"Content-Type", b"Connection", b"Expect", b"Host", b"Upgrade", b"Trailer",
    b"X-Request-ID", b"Content-Encoding", b"Inference-Header-Content-Length", b"Cookie", b"Range", b"traceparent",
    b"Authorization", b"X-API-Key", b"TE", b"Origin", b"", b" ", b"A" * 300,
)  # fmt: skip
FORM = (
    b"--x", b"--x--", b"\r\n", b"\r\n\r\n", b'Content-Disposition: form-data; name="image"', b"; filename=", b'"', b";",
    b"Content-Type: image/png", b"Content-Transfer-Encoding: base64", b"filename*=utf-8''%ff", b'name="model"', b"--",
)  # fmt: skip


def changed(requests: list[bytes], chance: Chance) -> bytes:
    head, end, body = chance.choice(requests).partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    for _ in range(chance.randrange(3)):
        lines = change_lines(lines, chance)
    for _ in range(chance.choice((0, 0, 1, 2, 4))):
        body = change_body(body, chance)
    if chance.random() < 0.7:  # so that the body is read as one
        length = b"Content-Length: %d" % len(body)
        lines = [length if line.lower().startswith(b"content-length:") else line for line in lines]
    content = b"\r\n".join(lines) + end + body
    for _ in range(chance.choice((0, 0, 0, 1, 2))):
        content = chance.choice(CHANGES)(content, chance)
    return content


def change_lines(lines: list[bytes], chance: Chance) -> list[bytes]:
    place = chance.randrange(len(lines))
    line = lines[place]
    match chance.randrange(6):
        case 0:
            return lines[:place] + lines[place + 1 :] or [b""]
        case 1:
            return lines[:place] + [line] * chance.choice((2, 120)) + lines[place + 1 :]
        case 2:
            return [*lines[:place], chance.choice(CHANGES)(line, chance), *lines[place + 1 :]]
        case 3:
            return [*lines[:place], line.partition(b":")[0] + b": " + chance.choice(VALUES), *lines[place + 1 :]]
        case _:
            return [*lines, chance.choice(NAMES) + b": " + chance.choice(VALUES)]


def change_body(body: bytes, chance: Chance) -> bytes:
    if chance.random() < 0.5:
        return chance.choice(CHANGES)(body, chance)
    place = chance.randrange(1 + len(body))
    return body[:place] + chance.choice(FORM) + body[place + chance.choice((0, 0, 5)) :]


def request_of(requests: list[bytes], seed: int, number: int) -> bytes:
    """The same for the same seed and number, whatever came before."""
    return changed(requests, Chance(f"{seed} {number}"))


class Whole:
    """What the parser that the service uses too makes of it: whether there is something to answer."""

    def __init__(self, content: bytes) -> None:
        self.complete = False
        try:
            httptools.HttpRequestParser(self).feed_data(content)
        except httptools.HttpParserUpgrade:
            self.complete = False  # the service reads on, as if nobody had asked for it
        except httptools.HttpParserError:
            self.complete = True

    def on_message_complete(self) -> None:
        self.complete = True


async def sent(url: str, content: bytes, seconds: float) -> str | None:
    """The status, "closed", or None where nothing came in time."""
    reader, writer = await asyncio.open_connection(*address(url))
    try:
        writer.write(content)
        async with asyncio.timeout(seconds):
            head = await reader.read(64)
    except TimeoutError:
        return None
    except ConnectionError:
        return "closed"
    finally:
        writer.transport.abort()
    found = re.match(rb"HTTP/1\.1 (\d{3}) ", head)
    return found[1].decode() if found else "closed"


async def send_all(server: Served, seed: int, numbers: range) -> Result:
    requests, result, slow = originals(), Result(), list[int]()
    waiting = iter(numbers)

    async def keep_sending() -> None:
        for number in waiting:
            content = request_of(requests, seed, number)
            whole = Whole(content).complete
            status = await sent(server.url, content, SECONDS if whole else MOMENT)
            result.sent += 1
            result.whole += whole
            result.statuses[status or "nothing"] += 1
            if status and status.startswith("5"):
                result.findings.append((number, status))
            if whole and status is None:
                slow.append(number)

    await asyncio.gather(*(keep_sending() for _ in range(AT_A_TIME)))
    for number in slow:  # with nobody else there
        if await sent(server.url, request_of(requests, seed, number), SECONDS) is None:
            result.findings.append((number, f"nothing within {SECONDS} s"))
    return result


def harmed(server: Served, before: list[int]) -> Iterator[str]:
    if [each.pid for each in server.workers()] != before:
        yield "a worker ended"
    if "Traceback" in server.log.read_text(errors="replace"):
        yield "an error in the log"


def run(seed: int, numbers: range, **settings: str) -> Result:
    with served(**settings) as server:
        before = [each.pid for each in server.workers()]
        result = asyncio.run(send_all(server, seed, numbers))
        result.findings += [(-1, reason) for reason in harmed(server, before)]
        return result


def main() -> None:
    arguments = tyro.cli(Arguments, prog="python -m proofs.fuzz.requests", description=__doc__)
    seed = random.randrange(2**31) if arguments.seed is None else arguments.seed
    print(f"seed {seed}", flush=True)
    one = arguments.only
    result = run(seed, range(arguments.requests) if one is None else range(one, one + 1))
    for number, reason in result.findings:
        path = arguments.out / f"request-{seed}-{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        if number >= 0:
            path.write_bytes(request_of(originals(), seed, number))
        print(f"{path}: {reason}", flush=True)
    counts = {"seed": seed, "requests": result.sent, "whole": result.whole, "findings": len(result.findings)}
    print(json.dumps({**counts, "statuses": dict(sorted(result.statuses.items()))}))
    sys.exit(bool(result.findings))


if __name__ == "__main__":
    main()
