"""What the size of batches and waiting for them bring, by load: `python -m benchmarks.batching`.

Runs the service with each NUMERAL_MAX_BATCH and NUMERAL_MAX_WAIT_MS in turn, several rounds; the figures are medians.
"""

import tempfile
import urllib.request
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from benchmarks import command_line, driver, report
from benchmarks.figures import Figures, medians
from benchmarks.peers.targets import OURS, Load


@dataclass(frozen=True)
class Arguments:
    batches: tuple[int, ...] = (1, 8, 32, 64)
    waits_ms: tuple[float, ...] = (0, 1, 5)
    connections: tuple[int, ...] = (1, 8, 32, 128)
    rounds: int = 2
    seconds: int = 3
    precision: driver.Precision = "int8"
    model: str = "googlenet"
    out: Path = Path("benchmarks/results")

    def __post_init__(self) -> None:
        command_line.above_zero(
            batches=self.batches, connections=self.connections, rounds=self.rounds, seconds=self.seconds
        )
        command_line.zero_or_more(waits_ms=self.waits_ms)


def mean_batch(url: str, model: str) -> float:
    """Of all batches since the server's start."""
    return mean_batch_of(urllib.request.urlopen(f"{url}/metrics", timeout=10).read().decode(), model)


def mean_batch_of(exposition: str, model: str) -> float:
    """`exposition`: what /metrics answers."""
    lines = exposition.splitlines()
    images, batches = (
        next(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(f'{name}{{model="{model}"}}'))
        for name in ("numeral_batch_images_sum", "numeral_batch_images_count")
    )
    return images / max(1, batches)


def measure(arguments: Arguments, batch: int, wait_ms: float, body: list[str]) -> dict[str, Figures]:
    settings = {"NUMERAL_MAX_BATCH": str(batch), "NUMERAL_MAX_WAIT_MS": str(wait_ms)}
    target = replace(OURS, environment=settings)
    figures = {}
    for connections in arguments.connections:
        with driver.running(target, driver.environment(arguments.precision, arguments.model)) as url:
            load = Load("raw", connections)
            driver.wrk(url + target.path, load, 1, body)
            measured = driver.wrk(url + target.path, load, arguments.seconds, body)
            figures[str(load)] = measured | {"mean_batch": mean_batch(url, arguments.model)}
    return figures


def table(results: dict[str, dict[str, Figures]]) -> str:
    """Markdown; `results` by "BATCH | WAIT" and load."""
    heads = ("largest batch", "wait ms", "load", "requests/s", "p50 ms", "p99 ms", "mean batch")
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for name, loads in results.items():
        for load, median in loads.items():
            rate = f"{median['requests_per_second']:,.0f}"
            cells = (name, load, rate, median["p50_ms"], median["p99_ms"], median["mean_batch"])
            lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def main() -> None:
    arguments = command_line.parse(Arguments, "batching", __doc__)
    driver.need_wrk()
    rounds: dict[str, list[dict[str, Figures]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        body = driver.write_bodies(Path(folder))["raw"]
        for _, batch, wait_ms in product(range(arguments.rounds), arguments.batches, arguments.waits_ms):
            # A wait is for a batch to fill, and one image fills a batch of one.
            if batch > 1 or not wait_ms:
                figures = measure(arguments, batch, wait_ms, body)
                rounds.setdefault(f"{batch} | {wait_ms:g}", []).append(figures)
    results = {name: medians(each, digits=2) for name, each in rounds.items()}
    print(table(results))
    name = f"batching-{arguments.model}-{arguments.precision}"
    line = report.line_of(name, results, rounds=arguments.rounds, seconds=arguments.seconds)
    report.save(line, arguments.out)


if __name__ == "__main__":
    main()
