"""The way of a request: files out of it, pixels out of them, these through a network, one answer for each."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from io import BytesIO
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray
from PIL import Image
from starlette.requests import Request
from starlette.responses import Response

from service.fleet import metrics, workers
from service.fleet.balance import Balance
from service.fleet.latency import Latency, Window, of_request, server_timing
from service.model.artefact import Artefact
from service.model.batcher import Answered, Batcher, Run
from service.model.engine import Engine
from service.picture.decode import load_pixels, note_of, open_image
from service.picture.grey import WORKING_SIDE
from service.picture.normalise import Normalised, normalise, normalise_grey
from service.picture.plain_png import read_plain_png
from service.picture.resize import resize
from service.settings import Settings
from service.web import answer
from service.web.admission import Admission
from service.web.problem import Problem
from service.web.time_limit import TimeLimit
from service.web.upload import Upload, read_uploads

logger = logging.getLogger("numeral")

UPLOADS_IN_TURN = 8
"""Of one request, before others get their turn."""

INLINE_PIXELS = 32 * 32
"""Images up to this take about as long to prepare as a way to a thread and back; larger ones would hold up others."""


class Received(NamedTuple):
    """A request that has arrived whole. `started` is of `time.perf_counter`."""

    model: str
    uploads: list[Upload]
    started: float
    read_seconds: float


class Prepared(NamedTuple):
    """An image ready for the network, or the reason why it does not get there."""

    pixels: NDArray[np.uint8] | None
    reason: str | None
    note: str | None
    decode_seconds: float
    normalise_seconds: float


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
        start = time.perf_counter()
        if artefact.reads_digits:
            pixels = read_plain_png(upload.content, min(INLINE_PIXELS, self.settings.max_pixels))
            if pixels is not None:
                return read_grey(pixels, time.perf_counter() - start)
        try:
            image = open_image(upload.content, self.settings.max_pixels)
        except Problem as problem:
            return problem
        open_seconds = time.perf_counter() - start
        if image.width * image.height > INLINE_PIXELS:
            loop = asyncio.get_running_loop()
            return loop.run_in_executor(self.preparers, read_image, image, artefact, open_seconds)
        return read_image(image, artefact, open_seconds)

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
    """Reads a picture each way: decoders and numpy's linear algebra are loaded by their first use."""
    large, small = BytesIO(), BytesIO()
    gradient = Image.radial_gradient("L")
    gradient.save(large, "PNG")
    gradient.reduce(10).save(small, "PNG")
    read_image(open_image(large.getvalue(), max_pixels=256 * 256), artefact, open_seconds=0)
    pixels = read_plain_png(small.getvalue(), INLINE_PIXELS)
    if pixels is not None:
        read_grey(pixels, decode_seconds=0)


def read_grey(pixels: NDArray[np.uint8], decode_seconds: float) -> Prepared | Problem:
    """pixels: uint8 [H, W]"""
    height, width = pixels.shape
    size = width, height
    return make_ready(lambda: normalise_grey(pixels.astype(np.float32), size), "L", size, decode_seconds)


def read_image(image: Image.Image, artefact: Artefact, open_seconds: float) -> Prepared | Problem:
    """Problem 422 where the content cannot be decoded, or makes no sense once it is."""
    start = time.perf_counter()
    try:
        load_pixels(image, at_least=2 * max(WORKING_SIDE, artefact.shape[-1]))
    except Problem as problem:
        return problem
    decode_seconds = open_seconds + time.perf_counter() - start

    def make() -> Normalised:
        return normalise(image) if artefact.reads_digits else Normalised(resize(image, artefact.shape))

    done = make_ready(make, image.mode, image.size, decode_seconds)
    return done if isinstance(done, Problem) else done._replace(note=note_of(image))


def make_ready(
    make: Callable[[], Normalised], mode: str, size: tuple[int, int], decode_seconds: float
) -> Prepared | Problem:
    """`mode` and `size` are the image's, to be named where `make` fails."""
    start = time.perf_counter()
    try:
        made = make()
    except Exception as error:  # whatever an odd image leads to is that image's own trouble
        logger.exception("an image of mode %s and size %s could not be normalised", mode, size)
        detail = f"the image of mode {mode} and {size[0]}×{size[1]} pixels cannot be normalised: {error}"
        return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
    return Prepared(made.digit, made.reason, None, decode_seconds, time.perf_counter() - start)


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
