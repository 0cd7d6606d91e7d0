"""While a hostile request is worked on, a second connection is answered as soon as without; memory comes back, and the
log stays small. `python -m benchmarks.second_connection` has all families, with figures."""

import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import httpx
import psutil
import pytest

from benchmarks.second_connection import memory, sending, times
from tests.harness import running
from tests.hostile import HOSTILE
from tests.hostile_requests import INFER, REQUESTS, post

Server = tuple[str, psutil.Process, Path]

FILES = [
    "PNG of profiles that grow",
    "JPEG of thousands of scans",
    "JPEG of fill in its scan",
    "GIF of comments",
    "BMP of moves",
    "WEBP of frames",
    "TIFF of a large tile",
    "TIFF of a tall fax",
]


def upload(name: str) -> bytes:
    return post(HOSTILE[name]())


FAMILIES: dict[str, Callable[[], bytes]] = {**REQUESTS, **{name: partial(upload, name) for name in FILES}}


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    log = tmp_path_factory.mktemp("watched") / "log"
    with running(log, workers="1") as (url, supervisor):
        times(url, seconds=1)
        yield url, supervisor, log


@pytest.mark.parametrize("family", FAMILIES)
def test_a_second_connection_does_not_notice(watched: Server, family: str) -> None:
    url, _, log = watched
    request = FAMILIES[family]()
    alone, logged = times(url, seconds=0.3), log.stat().st_size
    with sending(url, request, senders=2):
        time.sleep(0.1)
        beside = times(url, seconds=1)
    for victim in alone:
        before, meanwhile = statistics.median(alone[victim]), statistics.median(beside[victim])
        assert meanwhile <= max(2 * before, before + 50), f"{victim}: {before:.1f} ms alone, {meanwhile:.1f} beside it"
    assert log.stat().st_size - logged < 10_000


REFUSED: dict[str, tuple[int, bytes]] = {
    "HEIC": (422, b"\0\0\0\x18ftypheic" + bytes(4_000_000)),
    "damaged PNG": (422, b"\x89PNG\r\n\x1a\n" + bytes(4_000_000)),
    "truncated JPEG": (422, b"\xff\xd8\xff\xe0" + bytes(4_000_000)),
    "too large": (413, bytes(13_000_000)),
}
BROKEN_FORM = {"content-type": "multipart/form-data; boundary=x"}


@pytest.mark.parametrize("kind", [*REFUSED, "broken form", "unknown model"])
def test_what_is_refused_does_not_stay_in_memory(watched: Server, kind: str) -> None:
    """Three hundred of four megabytes each, as phones send them; the first fifty make room for those that follow."""
    url, supervisor, _ = watched
    status, content = REFUSED.get(kind, (400, b"no part" + bytes(4_000_000)))
    query = "?model=lenet" if kind == "unknown model" else ""
    headers = BROKEN_FORM if kind == "broken form" else {}
    with httpx.Client(base_url=url, timeout=30) as client:

        def refuse(times: int) -> None:
            for _ in range(times):
                assert client.post(f"/classify{query}", content=content, headers=headers).status_code == status

        refuse(50)
        held = memory(supervisor)
        refuse(300)
        assert memory(supervisor) - held < 20


@pytest.mark.parametrize("name", ["tensor of a photo that is none", "inference request of no JSON"])
def test_what_is_refused_of_inference_does_not_stay_in_memory(watched: Server, name: str) -> None:
    url, supervisor, _ = watched
    body = REQUESTS[name]().split(b"\r\n\r\n", 1)[1]
    with httpx.Client(base_url=url, timeout=30) as client:

        def refuse(times: int) -> None:
            for _ in range(times):
                assert client.post(INFER, content=body).status_code in (400, 415)

        refuse(50)
        held = memory(supervisor)
        refuse(300)
        assert memory(supervisor) - held < 20
