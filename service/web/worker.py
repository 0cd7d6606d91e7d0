"""What one worker process answers from, from its start to its stop."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from service.fleet import metrics, shared_folder, window, workers
from service.fleet.balance import Balance
from service.fleet.board import Board
from service.fleet.metrics import Metrics
from service.fleet.preparers import Preparers
from service.fleet.window import Window
from service.model.engine import Engine
from service.picture.prepare import warm_up
from service.settings import Settings
from service.web.classify import Classifier
from service.web.protocol import Protocol


@dataclass(frozen=True)
class Worker:
    settings: Settings
    engines: Mapping[str, Engine]
    board: Board
    window: Window
    metrics: Metrics
    preparers: Preparers
    balance: Balance
    classifier: Classifier

    @classmethod
    async def start(cls, settings: Settings, engines: Mapping[str, Engine], number: int) -> Self:
        """`number`: among the workers of this server, from 1. Returns when it is ready to answer."""
        models = sorted(engines)
        board = open_board(settings, models, number)
        latencies, counts = Window(board, 0), Metrics(models, board, window.COLUMNS)
        preparers = Preparers(workers.share_of_cores(settings), settings.max_pixels)
        await preparers.start()
        # Small pictures are prepared in this process.
        warm_up()
        return cls(
            settings=settings,
            engines=engines,
            board=board,
            window=latencies,
            metrics=counts,
            preparers=preparers,
            balance=Balance(board, Protocol.open_connections),
            classifier=Classifier(settings, engines, preparers, board, latencies, counts),
        )

    def close(self) -> None:
        self.balance.close()
        self.classifier.close()
        self.preparers.close()


def open_board(settings: Settings, models: Sequence[str], number: int) -> Board:
    """Of the server's workers, or of this process alone. Raises OSError where there is no room for it."""
    columns = window.COLUMNS + metrics.columns(models)
    shared = shared_folder.find()
    return Board(columns, shared / "board", workers.count(settings), number) if shared else Board(columns)
