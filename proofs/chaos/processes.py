"""Processes of the server are killed, held up, and told to stop."""

import signal
import subprocess
import tempfile
import time
from functools import partial
from pathlib import Path

import psutil

from proofs.chaos.load import CLIENTS, expected_of, load
from proofs.chaos.row import Row, under_load
from proofs.counts import Counts
from proofs.served import Served, seconds_until
from tests.harness import address, free_port, start_server, wait_until_ready

# Seconds for a new worker to take a place, and for one that hangs to be noticed beside it.
REPLACED = 30
HANGS = 5
# Seconds for a process that decodes to have begun, on a busy machine.
STARTED = 3


def connections(process: psutil.Process, server: Served) -> int:
    """What it holds of those to the server's port; each may have a request on its way."""
    port = address(server.url)[1]
    return sum(c.status == "ESTABLISHED" and c.laddr.port == port for c in process.net_connections())


def is_gone(victim: psutil.Process, server: Served) -> bool:
    return victim not in server.workers()


def replaced(victim: psutil.Process, server: Served) -> bool:
    """Within some seconds. One that ended stays in the list until its parent has noticed."""
    return seconds_until(lambda: is_gone(victim, server) and server.wants(2), REPLACED) is not None


def killed_workers(times: int = 10) -> Row:
    """Of two workers one after the other; what the killed one held is lost, and nothing else."""
    row = Row(f"SIGKILL of a worker, {times} times")
    with under_load(row) as server:
        for turn in range(times):
            victim = server.workers()[turn % 2]
            row.lost_allowed += connections(victim, server) + 2  # and those that are just being made
            victim.kill()
            row.check(replaced(victim, server), "no worker came in its place")
    return row


def killed_preparers(times: int = 10) -> Row:
    """Another gets the same picture. Two that end over one picture are taken for its fault, so the next kill waits."""
    row = Row(f"SIGKILL of a process that decodes, {times} times")
    with under_load(row) as server:
        for turn in range(times):
            for victim in server.workers()[turn % 2].children()[:1]:
                victim.kill()
            time.sleep(STARTED)
    return row


def hung_workers(times: int = 3) -> Row:
    """One that is stopped counts as hung: it is replaced within some seconds, and what it held is lost."""
    row = Row(f"SIGSTOP of a worker, {times} times")
    took: list[str] = []
    with under_load(row) as server:
        for _ in range(times):
            victim = server.workers()[0]
            row.lost_allowed += connections(victim, server) + 2
            victim.suspend()
            seconds = seconds_until(partial(is_gone, victim, server), HANGS + 3)
            took.append("never" if seconds is None else f"{seconds:.1f} s")
            if seconds is None:
                victim.resume()
            seconds_until(lambda: server.wants(2), REPLACED)
    row.notes.append(f"replaced after {', '.join(took)}")
    row.check("never" not in took, f"a worker that hangs is not replaced within {HANGS + 3} s")
    return row


def stopped(times: int = 10) -> Row:
    """SIGTERM, as an operator stops it: what a worker has accepted is answered, and it ends by itself.

    Lost is what the kernel had taken in the moment in which the last worker let go of the socket, one a client at most.
    """
    row = Row(f"SIGTERM of the server, {times} times")
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(times):
            row.lost_allowed += CLIENTS
            row.counts += stop_once(row, Path(folder, "log"))
    return row


def stop_once(row: Row, log: Path) -> Counts:
    port = free_port()
    process = start_server(port, log, workers="2")
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_ready(url, process, log)
        with load(url, expected_of(url)) as counts:
            time.sleep(1)
            process.send_signal(signal.SIGTERM)
            try:
                row.check(process.wait(timeout=30) == 0, "it ends with another code than 0")
            except subprocess.TimeoutExpired:
                row.check(False, "it does not end within 30 s")
        return counts
    finally:
        if process.poll() is None:
            for left in [*psutil.Process(process.pid).children(recursive=True), process]:
                left.kill()
            process.wait()
