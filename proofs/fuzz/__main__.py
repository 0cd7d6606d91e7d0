"""Files that were changed at random, prepared as the service prepares uploads: `make fuzz`.

Structure scan, decoders and normaliser get mutants of real files of every format. A finding is what crashes its
process, raises MemoryError, takes more than a second of the processor (a tenth where the service would read it in its
loop) or 300 MB, warns, or comes to no value that the service knows. What is slow or takes memory is run once more, in
a process of its own and with nothing beside it: only there is it the file's time, and the file's memory. Each is saved;
`--only NUMBER` makes one anew. The last line has the counts; the exit code is 1 where there are findings.
"""

import pickle
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import tyro

from proofs.fuzz.corpus import corpus
from proofs.fuzz.execute import content_of, wanted_of
from service.picture.prepare import prepare
from service.settings import ROOT

# Executions of a process before a new one takes its place.
CHUNK = 20_000
# Reasons that depend on what runs beside the file, and on what ran before it in its process.
RUN_AGAIN = ("slow", "memory: ")


@dataclass(frozen=True)
class Arguments:
    executions: int = 1_000_000
    processes: int = 2
    seed: int | None = None
    """of all mutations; one at random, which is printed, where none is given"""
    only: int | None = None
    """make this mutant again, save it and prepare it here"""
    out: Path = Path("runs/fuzz")
    """for files that were findings"""


@dataclass
class Result:
    executions: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    findings: list[tuple[int, str]] = field(default_factory=list)
    memory: int = 0

    def add(self, other: "Result") -> None:
        self.executions += other.executions
        self.outcomes.update(other.outcomes)
        self.findings += other.findings
        self.memory = max(self.memory, other.memory)


class Fuzz:
    """Runs mutants of one corpus and seed; `folder` holds what it shares with its processes."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.seed = seed
        self.folder = folder
        (folder / "corpus").write_bytes(pickle.dumps(corpus()))

    def run(self, executions: int, processes: int) -> Iterator[Result]:
        """What came of each chunk, as it ends."""
        chunk = min(CHUNK, -(-executions // processes))
        chunks = [range(first, min(first + chunk, executions)) for first in range(0, executions, chunk)]
        with ThreadPoolExecutor(processes) as pool:
            yield from pool.map(self.chunk, chunks)

    def confirmed(self, findings: list[tuple[int, str]]) -> list[tuple[int, str]]:
        """Those of time and memory as they are alone: beside others a file has their heap, and half of a core."""
        again = sorted({number for number, reason in findings if reason.startswith(RUN_AGAIN)})
        others = [finding for finding in findings if not finding[1].startswith(RUN_AGAIN)]
        return others + [finding for number in again for finding in self.chunk(range(number, number + 1)).findings]

    def chunk(self, numbers: range) -> Result:
        """A process that ends goes on with a new one, behind the mutant that ended it."""
        result, first = Result(), numbers.start
        while first < numbers.stop:
            part, first = self.process(range(first, numbers.stop))
            result.add(part)
        return result

    def process(self, numbers: range) -> tuple[Result, int]:
        """And the number to go on with."""
        progress = self.folder / f"at {numbers.start}"
        progress.write_bytes((numbers.start).to_bytes(8, sys.byteorder))
        where = [str(self.folder / "corpus"), str(progress)]
        what = list(map(str, (self.seed, numbers.start, numbers.stop)))
        command = [sys.executable, "-m", "proofs.fuzz.execute", *where, *what]
        ended = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=False)
        lines = [orjson.loads(line) for line in ended.stdout.splitlines()]
        findings = [(line["number"], line["reason"]) for line in lines if "number" in line]
        if ended.returncode == 0:
            *_, last = lines
            done = last["next"] - numbers.start
            return Result(done, Counter(last["outcomes"]), findings, last["memory"]), last["next"]
        number = int.from_bytes(progress.read_bytes(), sys.byteorder)
        reason = f"its process ended: {ended_by(ended.returncode)}"
        return Result(number + 1 - numbers.start, Counter(), [*findings, (number, reason)]), number + 1


def ended_by(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def save(arguments: Arguments, seed: int, number: int) -> Path:
    path = arguments.out / f"{seed}-{number}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content_of(corpus(), seed, number))
    return path


def show(arguments: Arguments, seed: int, number: int) -> None:
    path = save(arguments, seed, number)
    print(f"{path}: {path.stat().st_size} bytes")
    begin = time.process_time()
    prepared = prepare(path.read_bytes(), wanted_of(number))
    print(prepared._replace(pixels=None), f"{time.process_time() - begin:.3f} s")


def main() -> None:
    arguments = tyro.cli(Arguments, prog="python -m proofs.fuzz", description=__doc__)
    seed = random.randrange(2**31) if arguments.seed is None else arguments.seed
    if arguments.only is not None:
        show(arguments, seed, arguments.only)
        return
    print(f"seed {seed}", flush=True)
    total, begin = Result(), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        fuzz = Fuzz(seed, Path(folder))
        for result in fuzz.run(arguments.executions, arguments.processes):
            total.add(result)
            for number, reason in result.findings:
                print(f"{save(arguments, seed, number)}: {reason}", flush=True)
        findings = fuzz.confirmed(total.findings)
    for number, reason in findings:
        print(f"finding {number}: {reason}")
    counts = {
        "seed": seed,
        "executions": total.executions,
        "suspects": len(total.findings),
        "findings": len(findings),
        "outcomes": dict(total.outcomes),
        "memory_mb": round(total.memory / 1e6),
        "seconds": round(time.monotonic() - begin),
    }
    print(orjson.dumps(counts).decode())
    sys.exit(bool(findings))


if __name__ == "__main__":
    main()
