"""The way of a request: files out of it, pixels out of them, these through a network, one answer for each."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray
from starlette.requests import Request
from starlette.responses import Response

from service.fleet import metrics, workers
from service.fleet.balance import Balance
from service.fleet.latency import Latency, Window, of_request, server_timing
from service.model.artefact import Artefact
from service.model.batcher import Answered, Batcher, Run
from service.model.engine import Engine
from service.picture import prepare as picture
from service.picture.fault import FaultKind
from service.picture.prepare import Prepared, Wanted
from service.settings import Settings
from service.web import answer
from service.web.admission import Admission
from service.web.problem import Problem
from service.web.time_limit import TimeLimit
from service.web.upload import Upload, read_uploads

logger = logging.getLogger("numeral")

UPLOADS_IN_TURN = 8
"""Of one request, before others get their turn."""

STATUS = {
    FaultKind.EMPTY: HTTPStatus.BAD_REQUEST,
    FaultKind.UNSUPPORTED: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    FaultKind.TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    FaultKind.DAMAGED: HTTPStatus.UNPROCESSABLE_ENTITY,
}


class Received(NamedTuple):
    """A request that has arrived whole. `started` is of `time.perf_counter`."""

    model: str
    uploads: list[Upload]
    started: float
    read_seconds: float


Inferred = tuple[list[float], Answered]
"""One image's probabilities, rounded, and the piece of a batch that it was in."""


class Reader:
    """One for each worker process; made and used in its event loop."""

    def __init__(self, settings: Settings, engines: Mapping[str, Engine]) -> None:
        self.settings = settings
        self.engines = engines
        self.batchers = {name: batcher(engine, settings) for name, engine in engines.items()}
        self.requests = Admission(settings.max_requests, "requests")
        self.read_limit = TimeLimit(settings.read_timeout_ms / 1000)
        self.deadline = TimeLimit(settings.deadline_ms / 1000)
        # No more at once than there are cores: each large picture takes memory while it is decoded.
        self.preparers = ThreadPoolExecutor(workers.share_of_cores(settings), thread_name_prefix="prepare")
        folder = workers.shared_folder()
        self.window = Window(sorted(engines), folder, workers.index())
        self.images = Admission(settings.queue_size, "images", self.window.set_in_work)
        self.balance = Balance(self.window) if folder else None

    def close(self) -> None:
        for batcher in self.batchers.values():
            batcher.close()
        self.preparers.shutdown(wait=False)
        self.read_limit.close()
        self.deadline.close()
        if self.balance:
            self.balance.close()

    async def classify(self, request: Request) -> Response:
        """An object for one file, a list for several, a problem where the request as a whole fails."""
        started = time.perf_counter()
        try:
            with self.requests.admit(1):
                model = self.model_name(request)
                uploads = await read_uploads(request, self.settings, self.read_limit)
                received = Received(model, uploads, started, time.perf_counter() - started)
                response = respond(received, await self.answers(received))
                if self.balance and self.balance.wants_to_close():
                    response.headers["Connection"] = "close"
                return response
        except Problem as problem:
            return problem.response()
        except Exception:  # an answer is owed, whatever went wrong
            logger.exception("a request failed")
            detail = "the service failed at this request; its log says more"
            return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, detail).response()

    def model_name(self, request: Request) -> str:
        if not request.scope["query_string"]:
            return self.settings.default_model
        if unknown := set(request.query_params) - {"model"}:
            detail = f"parameter {min(unknown)[:40]!r} is unknown; allowed: model"
            raise Problem(HTTPStatus.BAD_REQUEST, detail)
        name = request.query_params.get("model", self.settings.default_model)
        if name not in self.engines:
            allowed = ", ".join(sorted(self.engines))
            raise Problem(HTTPStatus.BAD_REQUEST, f"model {name[:40]!r} is unknown; allowed: {allowed}")
        return name

    async def answers(self, received: Received) -> list[dict[str, Any] | Problem]:
        """One for each upload. Raises Problem: 429 no room, 504 past the deadline, each for the request as a whole."""
        with self.images.admit(len(received.uploads)):
            try:
                with self.deadline.start():
                    prepared = await self.prepare_all(received)
                    inferred = await self.infer(received.model, prepared)
            except TimeoutError as error:
                detail = f"no answer within the deadline of {self.settings.deadline_ms} ms"
                raise Problem(HTTPStatus.GATEWAY_TIMEOUT, detail) from error
        return [
            item if isinstance(item, Problem) else self.answer(received, upload, item, row)
            for upload, item, row in zip(received.uploads, prepared, inferred, strict=True)
        ]

    async def prepare_all(self, received: Received) -> list[Prepared | Problem]:
        artefact = self.engines[received.model].artefact
        prepared: list[Prepared | Problem] = []
        for start in range(0, len(received.uploads), UPLOADS_IN_TURN):
            if start:  # between the many small files of one request, other requests get their turn
                await asyncio.sleep(0)
            turn = [self.prepare(upload, artefact) for upload in received.uploads[start : start + UPLOADS_IN_TURN]]
            elsewhere = [item for item in turn if isinstance(item, asyncio.Future)]
            if elsewhere:
                await asyncio.gather(*elsewhere)
            prepared += [item.result() if isinstance(item, asyncio.Future) else item for item in turn]
        return prepared

    def prepare(self, upload: Upload, artefact: Artefact) -> "Prepared | Problem | asyncio.Future[Prepared | Problem]":
        """A file that cannot be read is a Problem of its own and harms no other. Large images go to a thread."""
        wanted = Wanted(artefact.reads_digits, artefact.shape, self.settings.max_pixels)
        if picture.is_quick(upload.content):
            return made_ready(upload.content, wanted)
        return asyncio.get_running_loop().run_in_executor(self.preparers, made_ready, upload.content, wanted)

    async def infer(self, model: str, prepared: Sequence[Prepared | Problem]) -> list[Inferred | None]:
        """In the order of `prepared`, None for what the network need not see."""
        seen = [
            (place, item.pixels)
            for place, item in enumerate(prepared)
            if isinstance(item, Prepared) and item.pixels is not None
        ]
        inferred: list[Inferred | None] = [None] * len(prepared)
        if seen:
            places, pixels = zip(*seen, strict=True)
            images = np.stack(pixels) if len(pixels) > 1 else pixels[0][np.newaxis]
            pieces = await self.batchers[model].submit(images)
            rows = [(row, piece) for piece in pieces for row in answer.rounded(piece.probabilities)]
            for place, row in zip(places, rows, strict=True):
                inferred[place] = row
        return inferred

    def answer(self, received: Received, upload: Upload, prepared: Prepared, row: Inferred | None) -> dict[str, Any]:
        engine = self.engines[received.model]
        probabilities, piece = row or (None, None)
        latency = Latency(
            read=received.read_seconds * 1000,
            decode=prepared.decode_seconds * 1000,
            normalise=prepared.normalise_seconds * 1000,
            queue=piece.queue_seconds * 1000 if piece else 0.0,
            inference=piece.inference_seconds * 1000 if piece else 0.0,
            total=(time.perf_counter() - received.started) * 1000,
        )
        self.window.add(received.model, latency)
        return {
            **answer.outcome(engine.artefact, probabilities, prepared.reason),
            "model": answer.model(engine.artefact),
            "provider": engine.provider,
            "batch_size": piece.batch_size if piece else 0,
            "latency_ms": latency.as_json(),
            "note": prepared.note,
            "file": upload.filename,
        }


def batcher(engine: Engine, settings: Settings) -> Batcher:
    """A GPU works while the loop goes on reading; a network on the CPU takes the loop's own core in any case."""
    return Batcher(counted(engine), engine.max_batch, engine.executor, settings.max_wait_ms / 1000)


def counted(engine: Engine) -> Run:
    """The engine's `run`, its batches counted."""
    batch_images = metrics.BATCH_IMAGES.labels(engine.artefact.name)

    def run(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        batch_images.observe(len(images))
        return engine.run(images)

    return run


def warm_up(artefact: Artefact) -> None:
    picture.warm_up(Wanted(artefact.reads_digits, artefact.shape, max_pixels=1))


def made_ready(content: bytes, wanted: Wanted) -> Prepared | Problem:
    prepared = picture.prepare(content, wanted)
    return Problem(STATUS[prepared.fault.kind], prepared.fault.detail) if prepared.fault else prepared


def respond(received: Received, answers: list[dict[str, Any] | Problem]) -> Response:
    for outcome, count in Counter(map(outcome_label, answers)).items():
        metrics.images(received.model, outcome).inc(count)
    if len(answers) == 1 and isinstance(answers[0], Problem):
        return answers[0].response()
    bodies = [
        {**item.body(), "file": upload.filename} if isinstance(item, Problem) else item
        for upload, item in zip(received.uploads, answers, strict=True)
    ]
    content = orjson.dumps(bodies if len(bodies) > 1 else bodies[0])
    latencies = [item["latency_ms"] for item in answers if not isinstance(item, Problem)]
    headers = {"Server-Timing": server_timing(of_request(latencies))} if latencies else None
    return Response(content, headers=headers, media_type="application/json")


def outcome_label(item: dict[str, Any] | Problem) -> str:
    if isinstance(item, Problem):
        return "error"
    return "accepted" if item["accepted"] else "refused"
