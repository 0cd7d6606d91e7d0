"""What the size of batches and waiting for them bring, by load: `python -m benchmarks.batching`.

Runs the service with each NUMERAL_MAX_BATCH and NUMERAL_MAX_WAIT_MS in turn, several rounds; the figures are medians.
"""

import json
import shutil
import statistics
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import tyro

from benchmarks.peers.targets import TARGETS, Load
from benchmarks.serving import WRK_MISSING, Figures, environment, hardware, running, write_bodies, wrk


@dataclass(frozen=True)
class Arguments:
    batches: tuple[int, ...] = (1, 8, 32, 64)
    waits_ms: tuple[float, ...] = (0, 1, 5)
    connections: tuple[int, ...] = (1, 8, 32, 128)
    rounds: int = 2
    seconds: int = 3
    precision: str = "int8"
    model: str = "googlenet"
    out: Path = Path("benchmarks/results")


def mean_batch(url: str, model: str) -> float:
    """Of all batches since the server's start."""
    lines = urllib.request.urlopen(f"{url}/metrics", timeout=10).read().decode().splitlines()
    images, batches = (
        next(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(f'{name}{{model="{model}"}}'))
        for name in ("numeral_batch_images_sum", "numeral_batch_images_count")
    )
    return images / max(1, batches)


def measure(arguments: Arguments, batch: int, wait_ms: float, body: list[str]) -> dict[str, Figures]:
    target = next(target for target in TARGETS if target.name == "numeral")
    settings = {"NUMERAL_MAX_BATCH": str(batch), "NUMERAL_MAX_WAIT_MS": str(wait_ms)}
    figures = {}
    for connections in arguments.connections:
        with running(replace(target, environment=settings), environment(arguments.precision, arguments.model)) as url:
            load = Load("raw", connections)
            wrk(url + target.path, load, 1, body)
            measured = wrk(url + target.path, load, arguments.seconds, body)
            figures[str(load)] = measured | {"mean_batch": mean_batch(url, arguments.model)}
    return figures


def main() -> None:
    arguments = tyro.cli(Arguments, prog="python -m benchmarks.batching", description=__doc__)
    if not shutil.which("wrk"):
        sys.exit(WRK_MISSING)
    rounds: dict[str, list[dict[str, Figures]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        body = write_bodies(Path(folder))["raw"]
        for _, batch, wait_ms in product(range(arguments.rounds), arguments.batches, arguments.waits_ms):
            # A wait is for a batch to fill, and one image fills a batch of one.
            if batch > 1 or not wait_ms:
                figures = measure(arguments, batch, wait_ms, body)
                rounds.setdefault(f"{batch} | {wait_ms:g}", []).append(figures)
    print(
        "| largest batch | wait ms | load | requests/s | p50 ms | p99 ms | mean batch |\n|---|---|---|---|---|---|---|"
    )
    results: dict[str, dict[str, Figures]] = {}
    for name, each in rounds.items():
        for load in each[0]:
            median = {key: round(statistics.median(r[load][key] for r in each), 2) for key in each[0][load]}
            results.setdefault(name, {})[load] = median
            rate = f"{median['requests_per_second']:,.0f}"
            print(f"| {name} | {load} | {rate} | {median['p50_ms']} | {median['p99_ms']} | {median['mean_batch']} |")
    line = {
        "benchmark": f"batching-{arguments.model}-{arguments.precision}",
        "date": time.strftime("%Y-%m-%d"),
        "hardware": hardware(),
        "rounds": arguments.rounds,
        "seconds": arguments.seconds,
        "results": results,
    }
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / f"{line['benchmark']}.json").write_text(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
