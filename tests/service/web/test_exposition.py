"""What is counted is told at once, but not made into text more often than a server can bear."""

import pytest

from service.fleet import metrics
from service.fleet.board import Board
from service.fleet.metrics import Metrics
from service.settings import Settings
from service.web import client_rate
from service.web.exposition import FRESH_PER_SECOND, Exposition


class Clock:
    now = 1000.0

    def monotonic(self) -> float:
        return self.now


def test_whoever_asks_very_often_gets_the_last_text_again(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(client_rate, "time", clock)
    board = Board(metrics.columns({"a": "01"}))
    counts = Metrics({"a": "01"}, board, 0)
    exposition = Exposition(Settings(), dict, board, counts)

    def text() -> bytes:
        counts.answered("/", 200, 0.001)
        return exposition.text()

    texts = [text() for _ in range(5 * FRESH_PER_SECOND)]
    assert len(set(texts)) == FRESH_PER_SECOND
    assert texts[-1] == texts[FRESH_PER_SECOND - 1]
    clock.now += 1
    assert text() != texts[-1]
    assert b'numeral_requests_total{path="/",status="200"} 51.0' in exposition.text()
