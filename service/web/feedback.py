"""Keeps pictures with the labels that users gave them, as `training --pictures` reads them: DIR/LABEL/sha256.ending.

Off unless NUMERAL_FEEDBACK_DIR is set: a stranger's bytes come to a disk here. What is kept is a picture that can be
decoded, under a name of ours, in a folder of bounded size, written whole or not at all.
"""

import asyncio
import fcntl
import hashlib
import os
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from service.picture.structure.scan import format_of
from service.settings import PREFIX, Settings
from service.web import problem
from service.web.admission import Held
from service.web.asked import options_of
from service.web.endpoint import json_response
from service.web.patience import caller_of
from service.web.problem import Problem
from service.web.upload import read_uploads
from service.web.worker import Worker

# Folders, as training names them; the last is of what is no digit.
LABELS = (*"0123456789", "-1")

# What the file that is locked holds: how many pictures are kept, and their bytes.
NOTE = struct.Struct("<QQ")


async def answer(request: Request, worker: Worker) -> Response:
    """One route for both: of two the `Allow` of a 405 names the methods of the first alone."""
    return await (keep if request.method == "POST" else tell)(request, worker)


async def tell(request: Request, worker: Worker) -> Response:
    """Whether this server keeps any."""
    return json_response({"kept": worker.settings.feedback_dir is not None, "labels": LABELS})


async def keep(request: Request, worker: Worker) -> Response:
    """Raises Problem, as /classify does; 403, 404 and 507 beside it."""
    if worker.settings.feedback_dir is None:
        detail = f"this server keeps no corrections; {PREFIX}FEEDBACK_DIR names the folder where one does"
        raise Problem(HTTPStatus.NOT_FOUND, detail)
    refuse_other_sites(request)
    label = label_asked(request)
    # Until it is kept: a disk may be slow, and what waits for it takes memory.
    with worker.classifier.uploads.hold() as held:
        content = await read_picture(request, worker, held)
        with worker.corrections.hold() as place:
            place.add(1)
            try:
                new = await asyncio.to_thread(store, worker.settings, worker.settings.feedback_dir, label, content)
            except OSError as error:
                detail = f"the picture cannot be kept: {error.strerror}"
                raise Problem(HTTPStatus.INSUFFICIENT_STORAGE, detail) from error
    return json_response({"label": label, "new": new})


def refuse_other_sites(request: Request) -> None:
    """A page of another site may send a form here by the browser of whoever visits it. Raises Problem 403."""
    origin = request.headers.get("origin")
    if origin is not None and origin.partition("://")[2] != request.headers.get("host"):
        detail = f"the request comes from a page of {origin[:80]!r}; allowed: pages of this server"
        raise Problem(HTTPStatus.FORBIDDEN, detail)


def label_asked(request: Request) -> str:
    """Raises Problem: 400 unknown or missing, 414."""
    label = options_of(request, ("label",)).get("label", "")
    if label not in LABELS:
        allowed = "0 to 9, and -1 for what is no digit"
        raise Problem(HTTPStatus.BAD_REQUEST, f"label is {label[:40]!r}; allowed: {allowed}")
    return label


async def read_picture(request: Request, worker: Worker, held: Held) -> bytes:
    """Admitted, bounded and decoded as what is to be classified. Raises Problem."""
    caller = caller_of(request, time.perf_counter())
    uploads = (await read_uploads(request, worker.settings, held, worker.classifier.begin)).uploads
    if len(uploads) > 1:
        raise Problem(HTTPStatus.BAD_REQUEST, f"the form holds {len(uploads)} files; a label is of one")
    if fault := (await worker.classifier.prepared(uploads[0], caller)).fault:
        raise problem.of_fault(fault)
    return uploads[0].content


def store(settings: Settings, folder: Path, label: str, content: bytes) -> bool:
    """Whether it is new. Of several labels for one picture the last stays. Raises OSError, Problem 507 past a limit."""
    kind = format_of(content)
    assert kind is not None  # noqa: S101  # for the type checker: it was decoded
    name = f"{hashlib.sha256(content).hexdigest()}.{kind.lower()}"
    with locked(folder) as lock:
        mine = [path for each in LABELS if (path := folder / each / name).exists()]
        if not mine:
            take_room(settings, folder, lock, len(content))
        write(folder / label / name, content)
        for path in mine:
            if path.parent.name != label:
                path.unlink()
    return not mine


def take_room(settings: Settings, folder: Path, lock: int, more: int) -> None:
    """Counted in `lock`, as to look at ten thousand files takes a tenth of a second; they are looked at where that says
    that there is no room, for whoever takes pictures away does not count them. Raises Problem 507."""

    def full(count: int, size: int) -> bool:
        return count >= settings.feedback_max_files or size + more > settings.feedback_max_bytes

    noted = os.pread(lock, NOTE.size, 0)
    count, size = NOTE.unpack(noted) if len(noted) == NOTE.size else look(folder)
    if full(count, size):
        count, size = look(folder)
    if full(count, size):
        raise Problem(
            HTTPStatus.INSUFFICIENT_STORAGE,
            f"{count:,} pictures of {size:,} bytes are kept; the limits are {settings.feedback_max_files:,} and "
            f"{settings.feedback_max_bytes:,}",
        )
    os.pwrite(lock, NOTE.pack(count + 1, size + more), 0)


def look(folder: Path) -> tuple[int, int]:
    """How many are kept, and their bytes."""
    sizes = [path.stat().st_size for path in pictures(folder)]
    return len(sizes), sum(sizes)


def pictures(folder: Path) -> Iterator[Path]:
    for label in LABELS:
        yield from (folder / label).glob("*")


@contextmanager
def locked(folder: Path) -> Iterator[int]:
    """By one thread of one worker at a time, or several would pass the limits together. The file that is locked."""
    lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock
    finally:
        os.close(lock)


def write(path: Path, content: bytes) -> None:
    """Whole or not at all. Raises OSError."""
    path.parent.mkdir(exist_ok=True)
    # Outside the folders of labels: what was left by a process that was killed is no picture.
    half = path.parent.parent / ".half"
    try:
        half.write_bytes(content)
        os.replace(half, path)
    except OSError:
        half.unlink(missing_ok=True)
        raise
