"""The way of an upload: files out of a request, pixels out of these, through a network, an answer for each."""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

import numpy as np
import orjson
from starlette.requests import Request
from starlette.responses import Response

from service.fleet.board import Board
from service.fleet.latency import Times, of_request, server_timing
from service.fleet.metrics import Metrics
from service.fleet.preparers import Preparers
from service.fleet.window import Window
from service.model.artefact import Artefact
from service.model.batcher import Batcher
from service.model.engine import Engine
from service.picture.prepare import Prepared, Wanted, is_quick, prepare
from service.settings import Settings
from service.web import answer, problem
from service.web.admission import Admission
from service.web.problem import Problem
from service.web.time_limit import TimeLimit
from service.web.upload import GRACE_SECONDS, Upload, read_uploads

# Seconds in which the files of one request are prepared in the loop, before others get their turn.
TURN_SECONDS = 0.001

# Bytes of the part of an address behind the question mark.
QUERY_BYTES = 1024


class Asked(NamedTuple):
    """What the part of an address behind the question mark asks for."""

    model: str
    explain: bool


class Received(NamedTuple):
    """A request that has arrived whole. The moments are of `time.perf_counter`."""

    asked: Asked
    uploads: list[Upload]
    began: float
    arrived: float


class Ready(NamedTuple):
    """A file that was prepared, from when it was handed over until it was back."""

    prepared: Prepared
    handed: float
    back: float


class Seen(NamedTuple):
    """What the network made of each candidate for one image, and the moments of the batch of the last."""

    candidates: list[list[float]]
    batch_size: int
    queued: float
    ran: float
    ended: float


class Item(NamedTuple):
    """What one file is answered with: an answer or, of another `status`, a problem, which has no `times`."""

    status: HTTPStatus
    body: dict[str, Any]
    outcome: str
    times: Times | None


class Classifier:
    """One for each worker process; made and used in its event loop."""

    def __init__(
        self,
        settings: Settings,
        engines: Mapping[str, Engine],
        preparers: Preparers,
        board: Board,
        window: Window,
        metrics: Metrics,
    ) -> None:
        self.settings = settings
        self.engines = engines
        self.preparers = preparers
        self.window = window
        self.metrics = metrics
        # A GPU works while the loop goes on reading; a network on the CPU takes the loop's own core in any case.
        self.batchers = {
            name: Batcher(name, engine.run, engine.max_batch, metrics, engine.executor, settings.max_wait_ms / 1000)
            for name, engine in engines.items()
        }
        self.wanted = {name: wanted_by(engine.artefact, settings.max_pixels) for name, engine in engines.items()}
        self.uploads = Admission(settings.max_upload_bytes, "bytes of uploads")
        self.images = Admission(settings.queue_size, "images", board.set_in_work)
        # Of the images those that need a process: a queue full of these keeps no small one out.
        self.pictures = Admission(max(settings.max_files, settings.queue_size // 2), "large images")
        self.begin = TimeLimit(min(GRACE_SECONDS, settings.read_timeout_ms / 1000))
        self.deadline = TimeLimit(settings.deadline_ms / 1000)

    def close(self) -> None:
        for batcher in self.batchers.values():
            batcher.close()
        self.begin.close()
        self.deadline.close()

    async def classify(self, request: Request) -> Response:
        """An object for one file, a list for several. Raises Problem where the request as a whole fails."""
        began = time.perf_counter()
        asked = self.asked(request)
        with self.uploads.hold() as held:
            uploads = await read_uploads(request, self.settings, held, self.begin)
            received = Received(asked, uploads, began, time.perf_counter())
            return self.respond(asked.model, await self.items(received))

    def asked(self, request: Request) -> Asked:
        query = request.scope["query_string"]
        if not query:
            return Asked(self.settings.default_model, explain=False)
        if len(query) > QUERY_BYTES:
            detail = f"the query has {len(query):,} characters; the limit is {QUERY_BYTES:,}"
            raise Problem(HTTPStatus.REQUEST_URI_TOO_LONG, detail)
        if unknown := set(request.query_params) - {"model", "explain"}:
            detail = f"parameter {min(unknown)[:40]!r} is unknown; allowed: model, explain"
            raise Problem(HTTPStatus.BAD_REQUEST, detail)
        name = request.query_params.get("model", self.settings.default_model)
        if name not in self.engines:
            allowed = ", ".join(sorted(self.engines))
            raise Problem(HTTPStatus.BAD_REQUEST, f"model {name[:40]!r} is unknown; allowed: {allowed}")
        explain = request.query_params.get("explain", "0")
        if explain not in ("0", "1"):
            raise Problem(HTTPStatus.BAD_REQUEST, f"explain is {explain[:40]!r}; allowed: 0, 1")
        return Asked(name, explain == "1")

    async def items(self, received: Received) -> list[Item]:
        """One for each upload. Raises Problem: 429 no room, 504 past the deadline, each for the request as a whole."""
        with self.images.hold() as held:
            held.add(len(received.uploads))
            try:
                with self.deadline.start():
                    ready = await self.prepare_all(received.uploads, self.wanted[received.asked.model])
                    seen = await self.infer(received.asked.model, ready)
            except TimeoutError as error:
                detail = f"no answer within the deadline of {self.settings.deadline_ms} ms"
                raise Problem(HTTPStatus.GATEWAY_TIMEOUT, detail) from error
        return [
            self.item(received, upload, one, network)
            for upload, one, network in zip(received.uploads, ready, seen, strict=True)
        ]

    async def prepare_all(self, uploads: Sequence[Upload], wanted: Wanted) -> list[Ready]:
        """In their order. What is quick is prepared here, what is not side by side in processes of its own."""
        here: dict[int, Ready] = {}
        turn = time.perf_counter()
        for number, upload in enumerate(uploads):
            if is_quick(upload.content):
                here[number] = prepare_here(upload, wanted)
            if time.perf_counter() - turn > TURN_SECONDS:
                await asyncio.sleep(0)
                turn = time.perf_counter()
        if len(here) == len(uploads):
            return list(here.values())
        slow = [upload for number, upload in enumerate(uploads) if number not in here]
        with self.pictures.hold() as held:
            held.add(len(slow))
            elsewhere = iter(await self.prepare_elsewhere(slow, wanted))
        return [here[number] if number in here else next(elsewhere) for number in range(len(uploads))]

    async def prepare_elsewhere(self, uploads: Sequence[Upload], wanted: Wanted) -> list[Ready]:
        async def one(upload: Upload) -> Ready:
            handed = time.perf_counter()
            return Ready(await self.preparers.prepare(upload.content, wanted), handed, time.perf_counter())

        ready: list[Ready] = []
        # As many at a time as there are processes: the pictures of other requests come in between.
        for start in range(0, len(uploads), self.preparers.count):
            ready += await asyncio.gather(*map(one, uploads[start : start + self.preparers.count]))
        return ready

    async def infer(self, model: str, ready: Sequence[Ready]) -> list[Seen | None]:
        """In the order of `ready`, None for what the network need not see."""
        pixels = [one.prepared.pixels for one in ready if one.prepared.pixels is not None]
        if not pixels:
            return [None] * len(ready)
        pieces = await self.batchers[model].submit(np.concatenate(pixels) if len(pixels) > 1 else pixels[0])
        rows = (
            Seen([row], piece.batch_size, piece.queued, piece.ran, piece.ended)
            for piece in pieces
            for row in answer.rounded(piece.probabilities)
        )
        return [None if one.prepared.pixels is None else of_one(rows, len(one.prepared.pixels)) for one in ready]

    def item(self, received: Received, upload: Upload, ready: Ready, seen: Seen | None) -> Item:
        prepared = ready.prepared
        if prepared.fault:
            fault = problem.of_fault(prepared.fault)
            named = {"file": upload.filename} if len(received.uploads) > 1 else {}
            return Item(fault.status, {**fault.body(), **named}, "error", None)
        engine = self.engines[received.asked.model]
        times = times_of(received, ready, seen)
        latency = times.latency()
        self.window.add(latency)
        self.metrics.took(received.asked.model, latency)
        artefact = engine.artefact
        body = {
            **(
                answer.classified(artefact, seen.candidates)
                if seen
                else answer.refused(artefact, prepared.reason or "")
            ),
            "model": answer.described(artefact),
            "provider": engine.provider,
            "batch_size": seen.batch_size if seen else 0,
            "latency_ms": latency.as_json(),
            "note": prepared.note,
            "file": upload.filename,
        }
        if received.asked.explain:
            body["candidates"] = answer.explained(artefact, prepared, seen.candidates if seen else [])
        return Item(HTTPStatus.OK, body, "accepted" if body["accepted"] else "refused", times)

    def respond(self, model: str, items: Sequence[Item]) -> Response:
        """A problem has its own status where it is the only file's, and a place in the list where there are others."""
        for outcome, count in Counter(item.outcome for item in items).items():
            self.metrics.read_images(model, outcome, count)
        if len(items) > 1:
            times = [item.times for item in items if item.times]
            headers = {"Server-Timing": server_timing(of_request(times).as_json())} if times else None
            return Response(orjson.dumps([item.body for item in items]), headers=headers, media_type="application/json")
        (item,) = items
        if item.status != HTTPStatus.OK:
            return Response(orjson.dumps(item.body), item.status, media_type=problem.MEDIA_TYPE)
        headers = {"Server-Timing": server_timing(item.body["latency_ms"])}
        return Response(orjson.dumps(item.body), headers=headers, media_type="application/json")


def wanted_by(artefact: Artefact, max_pixels: int) -> Wanted:
    return Wanted(artefact.reads_digits, artefact.shape, max_pixels)


def of_one(rows: Iterator[Seen], count: int) -> Seen:
    """The next `count` of `rows`, which are of the candidates for one image."""
    first = next(rows)
    if count == 1:
        return first
    others = list(itertools.islice(rows, count - 1))
    # They may be of two batches, where one was full.
    return others[-1]._replace(candidates=[row for seen in (first, *others) for row in seen.candidates])


def prepare_here(upload: Upload, wanted: Wanted) -> Ready:
    handed = time.perf_counter()
    return Ready(prepare(upload.content, wanted), handed, time.perf_counter())


def times_of(received: Received, ready: Ready, seen: Seen | None) -> Times:
    normalised = ready.back
    decoded = normalised - ready.prepared.normalise_seconds
    return Times(
        began=received.began,
        arrived=received.arrived,
        handed=ready.handed,
        taken=decoded - ready.prepared.decode_seconds,
        decoded=decoded,
        normalised=normalised,
        queued=seen.queued if seen else normalised,
        ran=seen.ran if seen else normalised,
        inferred=seen.ended if seen else normalised,
        answered=time.perf_counter(),
    )
