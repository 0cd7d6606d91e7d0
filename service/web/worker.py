"""What one worker process answers from, from its start to its stop."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Self

from service.fleet import metrics, shared_folder, window, workers
from service.fleet.balance import Balance
from service.fleet.board import Board
from service.fleet.metrics import Metrics, Models
from service.fleet.preparers import Preparers
from service.fleet.window import Window
from service.model.engine import Engine
from service.picture.prepare import warm_up
from service.settings import Settings
from service.web.access_log import STANDARD_OUTPUT, AccessLog, line_of_broken
from service.web.admission import Admission
from service.web.classify import Classifier
from service.web.exposition import Exposition
from service.web.gate import Gate
from service.web.protocol import Protocol
from service.web.renewal import Renewal

# Pictures that wait for the disk at a time, each in a thread.
CORRECTIONS = 4

# Of the deadline, that a large picture may wait for a process: it is told to come again while the client still waits,
# and what is left is for the work. So what is late in spite of that is late by itself.
WAIT = 0.5


@dataclass(frozen=True)
class Worker:
    settings: Settings
    board: Board
    window: Window
    metrics: Metrics
    exposition: Exposition
    access_log: AccessLog | None
    gate: Gate | None
    preparers: Preparers
    balance: Balance
    renewal: Renewal | None
    classifier: Classifier
    corrections: Admission

    @classmethod
    async def start(cls, settings: Settings, engines: Mapping[str, Engine], generation: int, number: int) -> Self:
        """`generation`: that `engines` are of. `number`: among the workers of this server, from 1. Returns when it is
        ready to answer."""
        models = labels_of(engines)
        board = open_board(settings, models, number)
        latencies, counts = Window(board, 0), Metrics(models, board, window.COLUMNS)
        ended = partial(counts.count, "numeral_preparer_ends")
        preparers = Preparers(
            workers.share_of_cores(settings), settings.max_pixels, ended, WAIT * settings.deadline_ms / 1000
        )
        await preparers.start()
        # Small pictures are prepared in this process.
        warm_up()
        board.begin(generation)
        classifier = Classifier(settings, engines, preparers, board, latencies, counts)
        shared = shared_folder.find()
        access_log = open_log(settings, counts)
        Protocol.broken = partial(tell_of_broken, counts, access_log)
        return cls(
            settings=settings,
            board=board,
            window=latencies,
            metrics=counts,
            exposition=Exposition(settings, classifier.engines, board, counts),
            access_log=access_log,
            gate=Gate.of(settings, partial(counts.count, "numeral_rejections", "client_rate")),
            preparers=preparers,
            balance=Balance(board, Protocol.open_connections, classifier.queue, classifier.stuck),
            renewal=Renewal(settings, shared, board, classifier, number, generation) if shared else None,
            classifier=classifier,
            corrections=Admission(CORRECTIONS, "corrections", "of a worker"),
        )

    @property
    def engines(self) -> Mapping[str, Engine]:
        """By which what is asked now is answered."""
        return self.classifier.engines()

    def close(self) -> None:
        self.board.end()
        self.balance.close()
        if self.renewal:
            self.renewal.close()
        self.classifier.close()
        self.preparers.close()
        if self.access_log:
            self.access_log.close()


def open_log(settings: Settings, counts: Metrics) -> AccessLog | None:
    """None where it is off."""
    if settings.access_log == "off":
        return None
    log = AccessLog(STANDARD_OUTPUT, partial(counts.count, "numeral_access_log_dropped"))
    log.take_over(logging.getLogger().handlers)
    return log


def tell_of_broken(counts: Metrics, log: AccessLog | None, request_id: str, status: int, client: str | None) -> None:
    counts.count("numeral_broken_requests", str(status))
    if log:
        log.write(line_of_broken(request_id, status, client))


def labels_of(engines: Mapping[str, Engine]) -> Models:
    return {name: engines[name].artefact.labels for name in sorted(engines)}


def open_board(settings: Settings, models: Models, number: int) -> Board:
    """Of the server's workers, or of this process alone. Raises OSError where there is no room for it."""
    columns = window.COLUMNS + metrics.columns(models)
    shared = shared_folder.find()
    return Board(columns, shared / "board", workers.count(settings), number) if shared else Board(columns)
