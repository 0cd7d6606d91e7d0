"""Images a second of a model by batch size, on the CPU and, where there is one, on CUDA: `python -m benchmarks.engine`.

The service's own engine, from pixels in memory to probabilities in memory, one caller.
"""

import json
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import command_line, report
from service.model.artefact import Precision, load
from service.model.engine import Engine
from service.runtime import CUDA
from training.run import onnx_runtime

BATCHES = (1, 4, 16, 64, 256, 1024)


@dataclass(frozen=True)
class Arguments:
    model: Path = Path("exported/googlenet")
    precisions: tuple[Precision, ...] = ("fp32", "int8")
    """int8 on the CPU alone"""
    threads: int = 0
    """on the CPU; 0: as many as there are cores"""
    rounds: int = 5
    seconds: float = 1
    """for each batch size and round"""

    def __post_init__(self) -> None:
        command_line.above_zero(rounds=self.rounds, seconds=self.seconds)
        command_line.zero_or_more(threads=self.threads)


def engines(arguments: Arguments) -> dict[str, Engine]:
    made = {
        f"CPU {precision}": Engine(load(arguments.model, precision), "cpu", arguments.threads, max(BATCHES))
        for precision in arguments.precisions
    }
    if CUDA in onnx_runtime.imported().get_available_providers():
        made["CUDA fp32"] = Engine(load(arguments.model, "fp32"), "cuda", 0, max(BATCHES))
    return made


def images_per_second(engine: Engine, batch: int, seconds: float) -> float:
    if engine.executor:
        return engine.executor.submit(measure, engine, batch, seconds).result()
    return measure(engine, batch, seconds)


def measure(engine: Engine, batch: int, seconds: float) -> float:
    images = np.random.default_rng(0).integers(0, 256, (batch, *engine.artefact.shape), np.uint8)
    runs, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        engine.run(images)
        runs += 1
    return batch * runs / (time.perf_counter() - start)


def table(medians: dict[str, dict[int, int]]) -> str:
    """Markdown; images a second by engine and batch."""
    lines = [f"| images/s, batch of | {' | '.join(map(str, BATCHES))} |", f"|---|{'---|' * len(BATCHES)}"]
    lines += [f"| {name} | {' | '.join(f'{rate:,}' for rate in row.values())} |" for name, row in medians.items()]
    return "\n".join(lines)


def main() -> None:
    arguments = command_line.parse(Arguments, "engine", __doc__)
    made = engines(arguments)
    for engine in made.values():
        engine.warm_up()
    rates: dict[str, dict[int, list[float]]] = {name: {batch: [] for batch in BATCHES} for name in made}
    for _ in range(arguments.rounds):
        for name, engine in made.items():
            for batch in BATCHES:
                rates[name][batch].append(images_per_second(engine, batch, arguments.seconds))
    medians = {name: {b: round(statistics.median(each)) for b, each in rows.items()} for name, rows in rates.items()}
    print(table(medians))
    setting = {"model": arguments.model.name, "rounds": arguments.rounds, "seconds": arguments.seconds}
    print(json.dumps({"benchmark": "engine", **setting, "images_per_second": medians, "hardware": report.hardware()}))


if __name__ == "__main__":
    main()
