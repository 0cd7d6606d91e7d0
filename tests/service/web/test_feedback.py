"""Corrections are kept where they are asked for, whole, under our names and within bounds, whatever is sent."""

import os
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import httpx
import numpy as np
import pytest

from service.settings import Settings
from service.web import feedback
from service.web.problem import Problem
from tests.harness import ROOT, Digits, assert_problem, metric, png, png_header, serving
from training.data.labelled import find

MOST = 20


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("feedback")


@pytest.fixture(scope="module")
def keeper(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Two workers that keep twenty pictures together."""
    log = tmp_path_factory.mktemp("keeper") / "log"
    with serving(log, workers="2", feedback_dir=str(folder), feedback_max_files=str(MOST)) as url:
        yield url


@pytest.fixture
def kept(folder: Path) -> Iterator[Path]:
    """The folder, empty before each test."""
    for path in feedback.pictures(folder):
        path.unlink()
    yield folder
    assert {path.name for path in folder.iterdir()} <= {*feedback.LABELS, ".lock"}  # nothing half, nothing beside


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in feedback.pictures(folder))


def send(url: str, label: object, content: bytes, **more: str) -> httpx.Response:
    return httpx.post(f"{url}/feedback", params={"label": str(label)}, content=content, headers=more, timeout=30)


def test_a_picture_is_kept_as_it_was_sent_where_training_finds_it(keeper: str, kept: Path, digits: Digits) -> None:
    assert httpx.get(f"{keeper}/feedback").json()["kept"] is True
    content, photo = png(digits.pick(7)), (ROOT / "digit.png").read_bytes()
    response = send(keeper, 7, content)
    assert (response.status_code, response.json()) == (200, {"label": "7", "new": True})
    assert httpx.post(f"{keeper}/feedback?label=-1", files={"any": ("../../x.sh", photo)}).status_code == 200
    found = {one.label: one.path for one in find(kept)}
    assert found[7].read_bytes() == content
    assert found[-1].read_bytes() == photo
    assert found[-1].suffix == ".png"
    assert not found[7].stat().st_mode & stat.S_IXUSR


def test_the_last_label_of_a_picture_stays(keeper: str, kept: Path, digits: Digits) -> None:
    content = png(digits.pick(1))
    assert [send(keeper, label, content).json()["new"] for label in (7, 7, 1)] == [True, False, False]
    assert [name.split("/")[0] for name in files(kept)] == ["1"]


@pytest.mark.parametrize("label", ["10", "-2", "", "seven", "../7", "7/../../x", "%2e%2e", "٧", "7\x00", "1" * 900])
def test_a_label_that_is_none_is_named_and_nothing_kept(keeper: str, kept: Path, digits: Digits, label: str) -> None:
    response = send(keeper, label, png(digits.pick(7)))
    assert_problem(response, 400 if len(response.request.url.query) <= 1024 else 414, "")
    assert files(kept) == []


def test_what_the_query_may_hold_is_said(keeper: str, kept: Path, digits: Digits) -> None:
    content = png(digits.pick(7))
    assert_problem(httpx.post(f"{keeper}/feedback", content=content), 400, "label is ''; allowed: 0 to 9, and -1")
    assert_problem(httpx.post(f"{keeper}/feedback?label=7&dir=/", content=content), 400, "'dir' is unknown")
    assert_problem(httpx.post(f"{keeper}/feedback?label={'7' * 2000}", content=content), 414, "1,024")
    two = [("a", ("a.png", content)), ("b", ("b.png", content))]
    assert_problem(httpx.post(f"{keeper}/feedback?label=7", files=two), 400, "2 files")
    assert_problem(httpx.delete(f"{keeper}/feedback"), 405, "not allowed")
    assert files(kept) == []


@pytest.mark.parametrize(
    ("content", "status", "said"),
    [
        (b"", 400, "no body"),
        (b"#!/bin/sh\nrm -rf /", 415, "no image"),
        (b"\x89PNG\r\n\x1a\n<script>", 422, "cannot be decoded"),
        (png(np.random.default_rng(0).integers(0, 256, (99, 99), np.uint8))[:800], 422, "cannot be decoded"),
        (png_header(12_000, 12_000), 413, "144,000,000 pixels"),
        (b"x" * 13_000_000, 413, "13,000,000 bytes"),
    ],
    ids=["empty", "script", "PNG in name", "cut off", "bomb", "large"],
)
def test_what_is_no_picture_is_not_kept(keeper: str, kept: Path, content: bytes, status: int, said: str) -> None:
    assert_problem(send(keeper, 7, content), status, said)
    assert files(kept) == []


def test_a_page_of_another_site_may_not_send(keeper: str, kept: Path, digits: Digits) -> None:
    content = png(digits.pick(7))
    for origin in ("https://elsewhere.example", "null", "http://127.0.0.1.elsewhere.example", "http://["):
        assert_problem(send(keeper, 7, content, origin=origin), 403, f"{origin!r}; allowed: pages of this server")
    assert files(kept) == []
    assert send(keeper, 7, content, origin=keeper).status_code == 200


def test_no_more_are_kept_than_allowed_however_many_come_at_once(keeper: str, kept: Path, digits: Digits) -> None:
    with ThreadPoolExecutor(4) as clients:
        sent = list(clients.map(lambda number: send(keeper, 3, png(digits.images[number])), range(2 * MOST)))
    assert sorted(response.status_code for response in sent) == [200] * MOST + [507] * MOST
    assert len(files(kept)) == MOST
    assert_problem(next(r for r in sent if r.status_code == 507), 507, f"the limits are {MOST} and 1,000,000,000")
    # Another label for one that is there takes no more room.
    number = next(number for number, response in enumerate(sent) if response.status_code == 200)
    assert send(keeper, 4, png(digits.images[number])).status_code == 200


def test_bytes_are_bounded_too(tmp_path: Path, digits: Digits) -> None:
    contents = [png(image) for image in digits.images[:3]]
    settings = Settings(feedback_dir=tmp_path, feedback_max_bytes=len(contents[0]) + len(contents[1]))
    assert feedback.store(settings, tmp_path, "1", contents[0])
    assert feedback.store(settings, tmp_path, "1", contents[1])
    with pytest.raises(Problem, match="2 pictures of"):
        feedback.store(settings, tmp_path, "1", contents[2])
    assert len(files(tmp_path)) == 2


def test_pictures_are_not_looked_at_one_by_one_until_there_is_no_room(
    tmp_path: Path, digits: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(feedback_dir=tmp_path, feedback_max_files=3)
    contents = [png(image) for image in digits.images[:5]]
    feedback.store(settings, tmp_path, "1", contents[0])
    with monkeypatch.context() as patched:
        patched.setattr(feedback, "pictures", None)
        for content in contents[1:3]:
            assert feedback.store(settings, tmp_path, "1", content)
    with pytest.raises(Problem, match="3 pictures of"):
        feedback.store(settings, tmp_path, "1", contents[3])
    next(feedback.pictures(tmp_path)).unlink()  # as an operator does
    assert feedback.store(settings, tmp_path, "1", contents[3])
    with pytest.raises(Problem, match="3 pictures of"):
        feedback.store(settings, tmp_path, "1", contents[4])


def test_those_that_wait_for_a_disk_are_bounded_and_counted(tmp_path: Path, digits: Digits) -> None:
    contents = [png(image) for image in digits.images[:6]]
    folder = tmp_path / "kept"
    folder.mkdir()
    with serving(tmp_path / "log", workers="1", feedback_dir=str(folder)) as url, ThreadPoolExecutor(6) as clients:
        with feedback.locked(folder):
            sent = [clients.submit(send, url, 3, content) for content in contents]
            refused = [done.result() for _, done in zip(range(2), as_completed(sent), strict=False)]
            held = metric(httpx.get(f"{url}/metrics").text, "numeral_upload_bytes")
        statuses = sorted(one.result().status_code for one in sent)
    for response in refused:
        assert_problem(response, 429, "4 corrections are in work and 1 more would pass the limit of 4 (of a worker)")
    assert held >= 4 * min(map(len, contents))
    assert statuses == [200] * 4 + [429] * 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_disk_that_is_full_leaves_nothing_half(tmp_path: Path, digits: Digits) -> None:
    """`/dev/full` takes no byte, as such a disk does."""
    (tmp_path / ".half").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        feedback.store(Settings(feedback_dir=tmp_path), tmp_path, "1", png(digits.pick(1)))
    assert files(tmp_path) == []
    assert not os.path.lexists(tmp_path / ".half")


def test_a_disk_that_fails_is_answered_with_a_problem(keeper: str, kept: Path, digits: Digits) -> None:
    (kept / ".half").mkdir()  # where the file would be written first
    try:
        assert_problem(send(keeper, 5, png(digits.pick(5))), 507, "cannot be kept: Is a directory")
    finally:
        (kept / ".half").rmdir()


def test_a_server_that_keeps_none_says_so(server: str, digits: Digits) -> None:
    assert httpx.get(f"{server}/feedback").json()["kept"] is False
    assert_problem(send(server, 7, png(digits.pick(7))), 404, "NUMERAL_FEEDBACK_DIR")


def test_a_photo_that_takes_another_process_is_kept(keeper: str, kept: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (600, 600), np.uint8)
    assert send(keeper, -1, png(noise)).status_code == 200
    assert len(files(kept)) == 1
