"""What more workers, more replicas and the proxy before them bring and cost: `python -m benchmarks.replicas`.

The service with one worker and with two, and one and two replicas of one worker each behind nginx with
deploy/nginx/numeral.conf, each worker with one thread for its network. wrk asks over 32 connections, from the same
machine. Beside requests a second, which the load generator's own need of the cores limits, the processor time that the
service and nginx take for a request: what docs/scale.md reckons with. Medians over the rounds, in which all take turns.
"""

import contextlib
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks import command_line, driver, report
from benchmarks.figures import Figures, medians
from benchmarks.open_loop import server
from benchmarks.peers.targets import OURS, RAW
from tests.deploy.proxy import NGINX, nginx


@dataclass(frozen=True)
class Arrangement:
    workers: int
    # Of so many workers each; 0 is one without nginx before it.
    replicas: int = 0

    def __str__(self) -> str:
        workers = f"{self.workers} worker" + ("s" if self.workers > 1 else "")
        return f"{self.replicas} × {workers} behind nginx" if self.replicas else workers


ARRANGEMENTS = (Arrangement(1), Arrangement(2), Arrangement(1, replicas=1), Arrangement(1, replicas=2))


@dataclass(frozen=True)
class Arguments:
    rounds: int = 3
    seconds: int = 6
    """of load for each figure"""
    precision: driver.Precision = "int8"
    model: str = "googlenet"
    out: Path = Path("benchmarks/results")

    def __post_init__(self) -> None:
        command_line.above_zero(rounds=self.rounds, seconds=self.seconds)


@contextlib.contextmanager
def running(arrangement: Arrangement, arguments: Arguments, folder: Path) -> Iterator[tuple[str, list[psutil.Process]]]:
    """The URL to ask, and the first process of each replica, nginx' behind them where there is one."""
    environment = driver.environment(arguments.precision, arguments.model)
    environment |= {"NUMERAL_WORKERS": str(arrangement.workers), "NUMERAL_THREADS": "1"}
    with contextlib.ExitStack() as stack:
        urls = [stack.enter_context(driver.running(OURS, environment)) for _ in range(max(1, arrangement.replicas))]
        processes = [server(url) for url in urls]
        if arrangement.replicas:
            urls = [stack.enter_context(nginx(folder, *urls))]
            processes.append(server(urls[0]))
        yield urls[0], processes


def processor_seconds(process: psutil.Process) -> float:
    """Of it and all that it started, so far."""
    times = [each.cpu_times() for each in [process, *process.children(recursive=True)]]
    return float(sum(each.user + each.system for each in times))


def measure(arrangement: Arrangement, arguments: Arguments, body: list[str]) -> Figures:
    with tempfile.TemporaryDirectory() as folder, running(arrangement, arguments, Path(folder)) as (base, processes):
        url = base + OURS.path
        driver.wrk(url, RAW, 2, body)
        before = [processor_seconds(process) for process in processes]
        measured = driver.wrk(url, RAW, arguments.seconds, body)
        spent = [processor_seconds(each) - began for each, began in zip(processes, before, strict=True)]
    return with_costs(measured, arguments.seconds, spent, proxied=bool(arrangement.replicas))


def with_costs(measured: Figures, seconds: int, spent: list[float], proxied: bool) -> Figures:
    """And what a request took of processors, in ms. spent: seconds by process, the proxy's last."""
    requests = measured["requests_per_second"] * seconds
    proxy = spent[-1] if proxied else 0.0
    return measured | {
        "service_cpu_ms": 1000 * (sum(spent) - proxy) / requests,
        "proxy_cpu_ms": 1000 * proxy / requests,
    }


def table(results: dict[str, Figures]) -> str:
    lines = [
        "| | requests/s | p50, ms | p99, ms | failed | processor of the service, ms a request | of nginx |",
        "|---|---|---|---|---|---|---|",
    ]
    names = ("requests_per_second", "p50_ms", "p99_ms", "failed", "service_cpu_ms", "proxy_cpu_ms")
    for arrangement, figures in results.items():
        cells = [f"{figures[name]:,.3f}" if name.endswith("cpu_ms") else f"{figures[name]:,.1f}" for name in names]
        lines.append(f"| {arrangement} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    arguments = command_line.parse(Arguments, "replicas", __doc__)
    driver.need_wrk()
    if not NGINX:
        sys.exit("nginx is not installed; get it with: apt-get install nginx-light (Debian, Ubuntu)")
    rounds: list[dict[str, Figures]] = []
    with tempfile.TemporaryDirectory() as folder:
        body = driver.write_bodies(Path(folder))["raw"]
        for number in range(arguments.rounds):
            print(f"round {number + 1}", file=sys.stderr)
            rounds.append({str(each): measure(each, arguments, body) for each in ARRANGEMENTS})
    results = medians(rounds)
    name = f"replicas-{arguments.model}-{arguments.precision}"
    report.save(report.line_of(name, results, rounds=arguments.rounds, seconds=arguments.seconds), arguments.out)
    print(table(results))
    print(json.dumps(results))


if __name__ == "__main__":
    main()
