"""Other models, again and again, while many connections ask: nobody is answered by one that was to be gone."""

import asyncio
import itertools
import json
import re
import signal
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from proofs.chaos.load import PATIENCE
from proofs.chaos.row import Row
from proofs.client import Connection, Lost
from proofs.mixture import digit, raw
from proofs.served import Served, seconds_until, served
from tests.artefacts import renew, ship
from tests.harness import address

CONNECTIONS = 32
# Seconds for a model to be tried and taken over.
RELOAD = 60


@dataclass
class Seen:
    """When each request began, and the hash of the model that answered it. The digits are all the same."""

    row: Row
    stopping: threading.Event = field(default_factory=threading.Event)
    answers: list[tuple[float, str]] = field(default_factory=list)

    async def ask_all(self, url: str) -> None:
        await asyncio.gather(*(self.ask(url, number) for number in range(CONNECTIONS)))

    async def ask(self, url: str, number: int) -> None:
        connection, counts = await Connection.to(*address(url)), self.row.counts
        for label in itertools.cycle((number % 10, 3)):
            if self.stopping.is_set():
                break
            if not connection.open:  # it was asked to go to the other worker
                connection = await Connection.to(*address(url))
            begin = time.monotonic()
            counts.accepted += 1
            try:
                async with asyncio.timeout(PATIENCE):
                    answer = await connection.ask(raw(digit(label)))
            except (Lost, TimeoutError):
                counts.lost += 1
                continue
            counts.answered += 1
            counts.errors += answer.status >= 500
            said = json.loads(answer.body)
            counts.wrong += said.get("digit") != label or said["receipt"]["model"] != said["model"]["sha256"]
            self.answers.append((begin, said["model"]["sha256"]))
        connection.close()


def renewed(times: int = 20) -> Row:
    """`times` other models by SIGHUP, each answering as the one before."""
    row = Row(f"{times} reloads under {CONNECTIONS} connections")
    with tempfile.TemporaryDirectory() as folder:
        models = ship(Path(folder), "googlenet")
        with served(workers="2", precision="fp32", models_dir=str(models), deadline_ms="20000") as server:
            seen = Seen(row)
            thread = threading.Thread(target=lambda: asyncio.run(seen.ask_all(server.url)))
            thread.start()
            try:
                changes = [change(row, server, models / "googlenet", version) for version in range(1, times + 1)]
                time.sleep(1)
            finally:
                seen.stopping.set()
                thread.join()
    judge(row, seen.answers, changes)
    return row


def change(row: Row, server: Served, model: Path, version: int) -> tuple[float, str]:
    """When it was said to be done, and the hash of the new one."""
    sha256, _ = renew(model, version)
    server.supervisor.send_signal(signal.SIGHUP)
    line = re.compile(f"reloaded: googlenet {sha256[:12]}")
    row.check(seconds_until(lambda: bool(line.search(server.log.read_text())), RELOAD), f"no line: {line.pattern}")
    return time.monotonic(), sha256


def judge(row: Row, answers: list[tuple[float, str]], changes: list[tuple[float, str]]) -> None:
    hashes = [sha256 for _, sha256 in changes]
    for number, (changed, sha256) in enumerate(changes):
        late = {by for begin, by in answers if begin > changed} - set(hashes[number:])
        row.check(not late, f"after the line of {sha256[:12]} answers by {', '.join(each[:12] for each in late)}")
    row.check(set(hashes) <= {by for _, by in answers}, "some of the models never answered")
    row.notes.append(f"{len({by for _, by in answers})} models answered")
