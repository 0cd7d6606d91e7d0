"""There is no room left on any disk."""

import resource
import tempfile

import httpx
import psutil

from proofs.chaos.processes import replaced
from proofs.chaos.row import Row, under_load
from proofs.mixture import digit
from proofs.served import Served


def full_disk() -> Row:
    """No process of the server may write a byte to a file any more: log, corrections and what a new worker needs.

    What is asked for is answered, a correction is refused, and a worker that dies is replaced.
    """
    row = Row("disk full")
    with (
        tempfile.TemporaryDirectory() as folder,
        under_load(row, access_log="json", feedback_dir=folder) as server,
    ):
        limit_files(server, 0)
        statuses = [correct(server) for _ in range(4)]
        row.notes.append(f"corrections {statuses}")
        row.check(set(statuses) == {507}, f"corrections were answered {statuses} in place of 507")
        victim = server.workers()[0]
        row.lost_allowed += 10
        victim.kill()
        row.check(replaced(victim, server), "no worker came in its place")
        limit_files(server, resource.RLIM_INFINITY)
        row.check(correct(server) == 200, "with room again a correction is not kept")
    return row


def limit_files(server: Served, size: int) -> None:
    for process in [server.supervisor, *server.supervisor.children(recursive=True)]:
        psutil.Process(process.pid).rlimit(psutil.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def correct(server: Served) -> int:
    return httpx.post(f"{server.url}/feedback?label=7", content=digit(7), timeout=10).status_code
