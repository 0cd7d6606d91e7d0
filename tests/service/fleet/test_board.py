"""Workers see each other's numbers, the dead are told apart, and whoever takes a place goes on with its counts."""

import contextlib
import gc
import os
import resource
import time
from pathlib import Path

import pytest

from service.fleet.board import (
    CONNECTIONS,
    GENERATION,
    IN_WORK,
    PROCESS,
    QUEUE,
    REFUSED,
    REQUESTS,
    SILENCE,
    STARTS,
    UPLOAD_BYTES,
    Board,
    read_heads,
)


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


def test_what_is_so_now_begins_anew_with_the_worker_and_its_starts_are_counted(tmp_path: Path) -> None:
    first, other = boards(tmp_path / "board")
    first.begin()
    first.add_requests(2)
    first.set_upload_bytes(100)
    second = Board(3, tmp_path / "board", 2, 1)
    second.begin()
    head, others = other.heads()
    assert (head[REQUESTS], head[UPLOAD_BYTES], head[STARTS], head[PROCESS]) == (0, 0, 2, os.getpid())
    assert others[STARTS] == 0


def test_who_has_no_row_reads_those_of_all(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_heads(tmp_path / "board", 2)
    (tmp_path / "board").touch()
    assert len(read_heads(tmp_path / "board", 2)) == 0
    ours, theirs = boards(tmp_path / "board")
    theirs.begin()
    theirs.beat(connections=7, queue=5)
    assert read_heads(tmp_path / "board", 2).tolist() == ours.heads().tolist()
    _, head = read_heads(tmp_path / "board", 2)
    assert (head[CONNECTIONS], head[QUEUE], head[PROCESS]) == (7, 5, os.getpid())
    theirs.end()
    assert read_heads(tmp_path / "board", 2)[1][PROCESS] == 0


def test_the_supervisor_sees_by_which_models_each_answers(tmp_path: Path) -> None:
    ours, theirs = boards(tmp_path / "board")
    ours.begin(generation=1)
    theirs.begin(generation=1)
    assert read_heads(tmp_path / "board", 2)[:, GENERATION].tolist() == [1, 1]
    ours.answer_by(2)
    theirs.refuse(2)
    heads = read_heads(tmp_path / "board", 2)
    assert heads[:, (GENERATION, REFUSED)].tolist() == [[2, 0], [1, 2]]


def test_a_worker_that_died_is_not_counted_among_the_living(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = boards(tmp_path / "board")
    theirs.beat(connections=7)
    ours.beat(connections=3)
    assert ours.alive()[:, CONNECTIONS].tolist() == [3, 7]
    now = time.monotonic()
    monkeypatch.setattr("service.fleet.board.time.monotonic", lambda: now + SILENCE + 1)
    ours.beat(connections=4)
    assert ours.alive()[:, CONNECTIONS].tolist() == [4]
    assert ours.living() == [1]


def test_a_place_that_no_worker_has_taken_yet_is_not_alive(tmp_path: Path) -> None:
    assert len(Board(3, tmp_path / "board", workers=4, own=2).alive()) == 1


def test_it_goes_on_without_a_file_descriptor_left(tmp_path: Path) -> None:
    ours, theirs = boards(tmp_path / "board")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken: list[int] = []
    gc.collect()  # what other tests have left must not give any back meanwhile
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
