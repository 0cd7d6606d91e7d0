"""Workers see each other's numbers, the dead are told apart, and whoever takes a place goes on with its counts."""

import contextlib
import os
import resource
import time
from pathlib import Path

import pytest

from service.fleet.board import CONNECTIONS, IN_WORK, SILENCE, Board


def boards(path: Path, workers: int = 2) -> list[Board]:
    return [Board(3, path, workers, own) for own in range(1, workers + 1)]


def test_each_writes_a_row_that_all_read(tmp_path: Path) -> None:
    ours, theirs = boards(tmp_path / "board")
    ours.own[0], theirs.own[0], theirs.own[2] = 1, 2, 5
    for board in (ours, theirs):
        assert board.columns(0, 1).tolist() == [[1], [2]]
        assert board.columns(2, 1).tolist() == [[0], [5]]


def test_a_worker_that_replaces_another_goes_on_with_its_counts_and_has_nothing_in_work(tmp_path: Path) -> None:
    first, other = boards(tmp_path / "board")
    first.own[1] = 7
    first.set_in_work(3)
    second = Board(3, tmp_path / "board", 2, 1)
    assert second.own[1] == 7
    second.own[1] += 1
    assert other.columns(1, 1).sum() == 8
    assert other.alive()[:, IN_WORK].sum() == 0


def test_a_worker_that_died_is_not_counted_among_the_living(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = boards(tmp_path / "board")
    theirs.beat(connections=7)
    ours.beat(connections=3)
    assert ours.alive()[:, CONNECTIONS].tolist() == [3, 7]
    now = time.monotonic()
    monkeypatch.setattr("service.fleet.board.time.monotonic", lambda: now + SILENCE + 1)
    ours.beat(connections=4)
    assert ours.alive()[:, CONNECTIONS].tolist() == [4]


def test_a_place_that_no_worker_has_taken_yet_is_not_alive(tmp_path: Path) -> None:
    assert len(Board(3, tmp_path / "board", workers=4, own=2).alive()) == 1


def test_it_goes_on_without_a_file_descriptor_left(tmp_path: Path) -> None:
    ours, theirs = boards(tmp_path / "board")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken: list[int] = []
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, soft), hard))
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))
        with pytest.raises(OSError, match="Too many open files"):
            os.open(os.devnull, os.O_RDONLY)
        theirs.beat(connections=5)
        ours.beat(connections=1)
        assert ours.alive()[:, CONNECTIONS].tolist() == [1, 5]
    finally:
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_without_a_file_there_is_one_worker() -> None:
    board = Board(3)
    board.own[2] = 4
    assert board.columns(2, 1).tolist() == [[4]]
    assert len(board.alive()) == 1
