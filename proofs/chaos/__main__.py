"""What becomes of requests while a server is harmed: `make chaos`.

Each scenario has a real server of two workers, clients that go on asking for digits and photos, and something that goes
wrong meanwhile. Afterwards the same files are answered with the same bits, and processes, file descriptors and memory
are as before. A line for each, and a last one with the counts; the exit code is 1 where one did not hold.
"""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import tyro

from proofs.chaos import artefacts, crowds, disk, processes, renewal
from proofs.chaos.row import Row
from proofs.counts import Counts

SCENARIOS: dict[str, Callable[[], Row]] = {
    "kill": processes.killed_workers,
    "kill-decoder": processes.killed_preparers,
    "hang": processes.hung_workers,
    "stop": processes.stopped,
    "disk-models": artefacts.replaced_on_disk,
    "reload": artefacts.reloaded,
    "renew": renewal.renewed,
    "queue": crowds.full_queue,
    "cut": crowds.cut_uploads,
    "slow": crowds.slow_uploads,
    "descriptors": crowds.no_descriptors,
    "disk-full": disk.full_disk,
}

COLUMNS = ("accepted", "answered", "lost", "wrong", "errors", "busy")


@dataclass(frozen=True)
class Arguments:
    only: tuple[str, ...] = ()
    """names of scenarios; all if none is given"""

    def __post_init__(self) -> None:
        if unknown := set(self.only) - set(SCENARIOS):
            raise ValueError(f"{', '.join(unknown)}: no scenario; there are {', '.join(SCENARIOS)}")


def line(name: str, counts: Counts) -> str:
    return f"{name:<48}" + "".join(f"{counts.row()[column]:>10}" for column in COLUMNS)


def run(scenario: Callable[[], Row]) -> Row:
    begin = time.monotonic()
    row = scenario()
    row.settle()
    print(line(row.name, row.counts), flush=True)
    for said in [
        f"{time.monotonic() - begin:.0f} s; {'; '.join(row.notes)}",
        *(f"FAILED: {each}" for each in row.failed),
    ]:
        print(f"    {said}", flush=True)
    return row


def main() -> None:
    arguments = tyro.cli(Arguments, prog="python -m proofs.chaos", description=__doc__)
    print(f"{'':<48}" + "".join(f"{column:>10}" for column in COLUMNS), flush=True)
    rows = [run(SCENARIOS[name]) for name in arguments.only or SCENARIOS]
    total = sum((row.counts for row in rows), Counts())
    failed = [row.name for row in rows if row.failed]
    print(json.dumps({"scenarios": len(rows), **total.row(), "failed": failed}))
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
