"""What a benchmark leaves: a line of JSON with the hardware that it was measured on, a table and a chart."""

import contextlib
import json
import platform
import shutil
import subprocess
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from benchmarks.figures import Figures
from benchmarks.peers.targets import CORES

# The versions of these are written beside the figures.
PACKAGES = (
    "bentoml",
    "onnxruntime",
    "onnxruntime-gpu",
    "uvicorn",
    "uvloop",
    "multipart",
    "pillow",
    "kornia-rs",
    "fastapi",
    "litserve",
    "mosec",
    "ray",
    "torchserve",
    "nvidia-pytriton",
)


def save(line: dict[str, Any], folder: Path) -> None:
    """As FOLDER/BENCHMARK.json."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{line['benchmark']}.json").write_text(json.dumps(line) + "\n")


def line_of(benchmark: str, results: dict[str, Any], **setting: Any) -> dict[str, Any]:
    return {
        "benchmark": benchmark,
        "date": time.strftime("%Y-%m-%d"),
        "hardware": hardware(),
        **setting,
        "results": results,
    }


def hardware() -> dict[str, Any]:
    info = dict(line.split(":", 1) for line in Path("/proc/cpuinfo").read_text().splitlines() if ":" in line)
    cpu = {name.strip(): value.strip() for name, value in info.items()}
    versions = {}
    for package in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
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
    figure = Figure(figsize=(8, 0.35 * len(rows) + 1), layout="constrained")
    axes = figure.subplots()
    bars = axes.barh([name for name, _ in rows], [rate for _, rate in rows])
    axes.bar_label(bars, fmt="{:,.0f}", padding=3)
    axes.set_xlabel("requests a second, 32 connections")
    axes.set_title(title)
    figure.savefig(path, dpi=100)
