"""What people send: crops and photos, for the service and peers with its normaliser: `python -m benchmarks.uploads`.

The pictures are made of an MNIST digit, on paper that is lit from one side. Peers prepare them by the service's own
code within their request. The service does in processes of its own, which a picture may bring down, and reads every
candidate that a picture comes to, where the peers read the first. Rounds as of `benchmarks.serving`.
"""

import json
import sys
import tempfile
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

from benchmarks import command_line, driver, report
from benchmarks.figures import Figures, medians
from benchmarks.open_loop import server
from benchmarks.peers.targets import TARGETS, Target
from benchmarks.serving import use_model

MEGABYTE = 2**20

# Pixels of a side, and connections that send it: of large pictures few at a time, as each takes its memory.
SIDES = {"28": 32, "64": 32, "200": 32, "1000": 8, "3464": 4}

PEERS = ("numeral", "plain ASGI", "FastAPI", "LitServe", "Mosec", "BentoML")


@dataclass(frozen=True)
class Arguments:
    precision: driver.Precision = "int8"
    model: str = "googlenet"
    rounds: int = 3
    seconds: int = 5
    """of load for each figure"""
    only: tuple[str, ...] = PEERS
    """beginnings of the names of servers"""
    out: Path = Path("benchmarks/results")

    def __post_init__(self) -> None:
        command_line.above_zero(rounds=self.rounds, seconds=self.seconds)


def picture(side: int) -> bytes:
    """A canonical digit in PNG, or a JPEG of one on paper."""
    if side == driver.digit().shape[0]:
        return driver.canonical()
    paper = np.tile(200 - np.linspace(0, 60, side)[:, np.newaxis], (1, side))
    ink = np.asarray(Image.fromarray(driver.digit()).resize((side * 2 // 3, side * 2 // 3)))
    start = side // 6
    paper[start : start + len(ink), start : start + len(ink)] -= ink / 3
    file = BytesIO()
    Image.fromarray(paper.astype(np.uint8)).save(file, "JPEG", quality=90)
    return file.getvalue()


def megabytes(top: psutil.Process) -> float:
    """Of the process and all that it started; what they share is shared out."""
    return float(sum(each.memory_full_info().pss for each in [top, *top.children(recursive=True)])) / MEGABYTE


def measure(target: Target, arguments: Arguments, bodies: dict[str, dict[str, list[str]]]) -> dict[str, Figures]:
    """By side of the picture."""
    environment = driver.environment(arguments.precision, arguments.model) | {"BENCH_NORMALISE": "1"}
    figures = {}
    with driver.running(target, environment) as base:
        for side, connections in SIDES.items():
            load, url = replace(target.loads[0], connections=connections), base + target.path
            driver.wrk(url, load, 1, bodies[side][load.body])
            figures[side] = driver.wrk(url, load, arguments.seconds, bodies[side][load.body])
            figures[side]["megabytes"] = megabytes(server(base))
    return figures


def table(results: dict[str, dict[str, Figures]]) -> str:
    """requests/s (p99 in ms), and what is held at the end."""
    heads = [name_of(side) for side in SIDES]
    lines = [f"| requests/s (p99, ms) | {' | '.join(heads)} | MB |", "|---" * (len(heads) + 2) + "|"]
    for name, figures in results.items():
        cells = [cell(figures[side]) for side in SIDES]
        lines.append(f"| {name} | {' | '.join(cells)} | {figures['3464']['megabytes']:,.0f} |")
    return "\n".join(lines)


def name_of(side: str) -> str:
    return {"28": "28 px PNG", "3464": "12 MP JPEG"}.get(side, f"{side} px JPEG")


def cell(figures: Figures) -> str:
    failed = f", {figures['failed']:.0f} failed" if figures["failed"] else ""
    return f"{figures['requests_per_second']:,.0f} ({figures['p99_ms']:,.0f}{failed})"


def main() -> None:
    arguments = command_line.parse(Arguments, "uploads", __doc__)
    driver.need_wrk()
    use_model(arguments.model, arguments.precision)
    targets = [target for target in TARGETS if target.name.startswith(arguments.only) and not target.missing()]
    rounds: dict[str, list[dict[str, Figures]]] = {target.name: [] for target in targets}
    with tempfile.TemporaryDirectory() as folder:
        bodies = {side: bodies_of(side, Path(folder, side)) for side in SIDES}
        for number in range(arguments.rounds):
            for target in targets:
                print(f"round {number + 1}: {target.name}", file=sys.stderr)
                rounds[target.name].append(measure(target, arguments, bodies))
    results = {name: medians(each) for name, each in rounds.items()}
    line = report.line_of(
        f"uploads-{arguments.model}-{arguments.precision}", results, rounds=arguments.rounds, seconds=arguments.seconds
    )
    report.save(line, arguments.out)
    (arguments.out / f"{line['benchmark']}.md").write_text(table(results) + "\n")
    print(table(results))
    print(json.dumps(line))


def bodies_of(side: str, folder: Path) -> dict[str, list[str]]:
    folder.mkdir()
    return driver.write_bodies(folder, picture(int(side)))


if __name__ == "__main__":
    main()
