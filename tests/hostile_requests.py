"""Requests made to cost a server far more than their bytes, whole as they go over a connection: `REQUESTS[name]()`."""

from collections.abc import Callable
from functools import partial

import numpy as np

from tests.harness import png

MEGABYTE = 1_000_000


INFER = "/v2/models/googlenet/infer"


def post(body: bytes, *headers: str, path: str = "/classify") -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def chunked(body: bytes) -> bytes:
    return b"POST /classify HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + body


def endless_type(filler: str, size: int) -> bytes:
    return post(b"x", 'Content-Type: multipart/form-data; boundary="' + filler * (size // len(filler)))


def form(body: bytes, boundary: str = "x") -> bytes:
    return post(body, f"Content-Type: multipart/form-data; boundary={boundary}")


def parts(count: int, headers: bytes = b"", content: bytes = b"") -> bytes:
    part = b'--x\r\nContent-Disposition: form-data; name="a"; filename="b"\r\n' + headers + b"\r\n" + content + b"\r\n"
    return form(part * count + b"--x--\r\n")


def disposition(filler: bytes, count: int = 300) -> bytes:
    """Parts whose disposition is as long as one may be."""
    head = b'--x\r\nContent-Disposition: form-data; name="a"; filename="b"; ' + filler * (4000 // len(filler))
    return form((head + b"\r\n\r\n\r\n") * count + b"--x--\r\n")


def near_misses(of: bytes, boundary: str = "x" * 70) -> bytes:
    """Bytes that begin like the boundary, and are none."""
    start = b"--" + boundary.encode() + b'\r\nContent-Disposition: form-data; name="a"; filename="b"\r\n\r\n'
    return form(start + of * (4 * MEGABYTE // len(of)), boundary)


def json_text(body: bytes) -> bytes:
    return post(body, "Content-Type: application/json")


def dots(count: int) -> bytes:
    """Pictures that are small, and of as many shapes as there can be."""
    grid = np.zeros((32, 32), np.uint8)
    grid[::2, ::2] = 255
    return parts(count, content=png(grid))


def tensor(data: bytes, datatype: str = "UINT8", shape: str = "[-1,28,28]") -> bytes:
    """An inference request, in JSON."""
    head = f'{{"inputs":[{{"name":"x","datatype":"{datatype}","shape":{shape},"data":['.encode()
    return post(head + data + b"]}]}", path=INFER)


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


REQUESTS: dict[str, Callable[[], bytes]] = {
    "content type of semicolons": partial(endless_type, ";", 64_000),
    "content type of more semicolons": partial(endless_type, ";", 128_000),
    "content type of parameters": partial(endless_type, "a*0=b;", 64_000),
    "content type of quotes": partial(endless_type, '\\"', 64_000),
    "headers without end": lambda: b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 10 * MEGABYTE,
    "header without end": lambda: b"GET / HTTP/1.1\r\nA: " + b"b" * 60 * MEGABYTE,
    "address without end": lambda: b"GET /" + b"a" * 60 * MEGABYTE,
    "trailers without end": lambda: chunked(b"1\r\nx\r\n0\r\n" + b"A: b\r\n" * 10 * MEGABYTE),
    "trailer without end": lambda: chunked(b"1\r\nx\r\n0\r\nA: " + b"b" * 60 * MEGABYTE),
    "length of 5,000 digits": lambda: b"POST /classify HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
    "chunks of a byte": lambda: chunked(b"1\r\nx\r\n" * 4 * MEGABYTE),
    "chunk with an extension without end": lambda: chunked(b"1;" + b"x" * 60 * MEGABYTE),
    "requests sent ahead": lambda: b"GET /models HTTP/1.1\r\nHost: x\r\n\r\n" * 500_000,
    "upgrades sent ahead": lambda: (
        b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n" * 200_000
    ),
    "empty lines": lambda: b"\r\n" * 10 * MEGABYTE,
    "parts without content": partial(parts, 50_000),
    "parts with as many headers as may be": partial(parts, 320, b"A: " + b"b" * 4000 + b"\r\n"),
    "disposition of semicolons": partial(disposition, b";"),
    "disposition of parameters": partial(disposition, b"a=b;"),
    "disposition of quotes": partial(disposition, b'a="\\";'),
    "boundaries that are none": partial(near_misses, b"\r\n--" + b"x" * 69 + b"y"),
    "line ends": partial(near_misses, b"\r\n"),
    "carriage returns": partial(near_misses, b"\r"),
    "dashes": partial(near_misses, b"\r\n--"),
    "pictures of dots": partial(dots, 256),
    "JSON of lists": lambda: json_text(b'{"images":[' + b"[]," * 1_200_000 + b"0]}"),
    "JSON in JSON": lambda: json_text(b'{"image":' * 400_000),
    "JSON of line ends": lambda: json_text(b'{"image":"' + b"\\n" * 1_900_000 + b'"}'),
    "JSON of as much as a body may have": lambda: json_text(b'{"image":"' + b"A" * 11 * MEGABYTE + b'"}'),
    "JSON of base64 that is none": lambda: json_text(b'{"image":"' + b"A" * 3_900_000 + b'!"}'),
    "query of parameters": lambda: b"POST /classify?" + b"a&" * 7_000 + b" HTTP/1.1\r\nContent-Length: 1\r\n\r\nx",
    "tensor of lists": lambda: tensor(b"[]," * 1_600_000 + b"[]"),
    "tensor of as many lists as may be": lambda: tensor(b"[]," * 8_000 + b"[]"),
    "tensor of objects": lambda: tensor(b'{"":0},' * 104_000 + b"{}"),
    "tensor of depth": lambda: tensor(nested(100_000)),
    "tensor of a long number": lambda: tensor(b"9" * 4 * MEGABYTE),
    "tensor of a long text": lambda: tensor(b'"' + b"x" * 4 * MEGABYTE + b'"' + b",1" * 200_000),
    "tensor of nothing": lambda: tensor(b'"",' * 200_000 + b'""', "BYTES", "[-1]"),
    "tensor of a photo that is none": lambda: tensor(b'"' + b"QUFB" * MEGABYTE + b'"', "BYTES", "[-1]"),
    "inference request of no JSON": lambda: post(b'"\\' * 2 * MEGABYTE, path=INFER),
    "photo in HEIC": lambda: post(b"\0\0\0\x18ftypheic" + bytes(4 * MEGABYTE)),
}
