"""Requests a second and latency of the service and of its peers, with the same model: `make bench`.

Every round starts each server anew, one after the other, and loads it with wrk from the same machine; the figures are
medians over the rounds. The peers get canonical images, and do no more with them than decode and run the network.
"""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmarks import command_line, driver, report
from benchmarks.figures import Figures, medians
from benchmarks.peers.targets import CORES, ROOT, TARGETS, Target


@dataclass(frozen=True)
class Arguments:
    precision: driver.Precision = "int8"
    """TorchServe runs TorchScript in fp32 in any case"""
    provider: Literal["cpu", "cuda"] = "cpu"
    """of this service; with cuda it is measured alone: its peers and the bare engine run on the CPU here. fp32 then"""
    model: str = "googlenet"
    rounds: int = 3
    seconds: int = 6
    """of load for each figure"""
    only: tuple[str, ...] = ()
    """names of servers, or their beginnings; all if none is given"""
    out: Path = Path("benchmarks/results")

    def __post_init__(self) -> None:
        command_line.above_zero(rounds=self.rounds, seconds=self.seconds)


def measure(target: Target, arguments: Arguments, bodies: dict[str, list[str]]) -> dict[str, Figures]:
    figures = {}
    environment = driver.environment(arguments.precision, arguments.model, arguments.provider)
    with driver.running(target, environment) as url:
        driver.wrk(url + target.path, target.loads[0], 2, bodies[target.loads[0].body])
        for load in target.loads:
            measured = driver.wrk(url + target.path, load, arguments.seconds, bodies[load.body])
            figures[str(load)] = measured | {"images_per_second": measured["requests_per_second"] * load.images}
    return figures


def bare_engine(arguments: Arguments) -> dict[str, Figures]:
    command = [sys.executable, "-m", "benchmarks.peers.bare_engine", str(CORES), str(arguments.seconds)]
    environment = os.environ | driver.NO_REPORTS
    finished = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    figures = json.loads(finished.stdout.splitlines()[-1])
    return {
        "no web, best batch": {"images_per_second": figures["images_per_second"]},
        "no web, batch 1": {"p50_ms": figures["batch_1_ms"]},
    }


def run_rounds(arguments: Arguments) -> tuple[dict[str, dict[str, Figures]], dict[str, str]]:
    """Medians by server and load, and the reasons why a server was left out."""
    only = ("numeral",) if arguments.provider == "cuda" else arguments.only
    chosen = [t for t in TARGETS if not only or t.name.startswith(only)]
    left_out = {target.name: reason for target in chosen if (reason := target.missing())}
    rounds: dict[str, list[dict[str, Figures]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        bodies = driver.write_bodies(Path(folder))
        for number in range(arguments.rounds):
            if arguments.provider == "cpu":
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


def use_model(model: str, precision: driver.Precision) -> None:
    """For the peers, which are told by their environment."""
    file = "model.int8.onnx" if precision == "int8" else "model.onnx"
    os.environ["BENCH_MODEL"] = str(ROOT / "exported" / model / file)


def main() -> None:
    arguments = command_line.parse(Arguments, "serving", __doc__)
    driver.need_wrk()
    use_model(arguments.model, arguments.precision)
    results, left_out = run_rounds(arguments)
    name = f"serving-{arguments.model}-{arguments.precision}" + ("-cuda" if arguments.provider == "cuda" else "")
    line = report.line_of(
        name,
        results,
        rounds=arguments.rounds,
        seconds=arguments.seconds,
        left_out={server: reason.splitlines()[-1] for server, reason in left_out.items()},
    )
    report.save(line, arguments.out)
    (arguments.out / f"{name}.md").write_text(report.table(results) + "\n")
    title = f"{arguments.model} {arguments.precision}, {CORES} cores"
    report.chart(results, title, arguments.out / f"{name}.png")
    print(report.table(results))
    for server, reason in left_out.items():
        print(f"left out: {server}: {reason}")
    print(json.dumps(line))


if __name__ == "__main__":
    main()
