"""The way of an upload: files out of a request, pixels out of these, through a network, an answer for each."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any, NamedTuple, TypeVar

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from service.fleet.board import Board
from service.fleet.caller import Caller, CallerLeft, within
from service.fleet.latency import Times, of_request, server_timing
from service.fleet.metrics import Metrics
from service.fleet.preparers import NoTurn, Preparers
from service.fleet.window import Window
from service.model import receipt, verdict
from service.model.batcher import Batcher
from service.model.engine import Engine
from service.picture.prepare import Prepared, Wanted, is_quick, prepare
from service.settings import Settings
from service.web import problem
from service.web.access_log import about_image, about_images
from service.web.account import Account
from service.web.admission import Admission, no_turn
from service.web.asked import Asked, choose, joined, options_of
from service.web.loaded import Loaded
from service.web.patience import caller_of, nobody_waits
from service.web.problem import Problem, json_text
from service.web.sent import Sent, Upload
from service.web.time_limit import TimeLimit
from service.web.upload import GRACE_SECONDS, read_uploads

# Seconds in which the files of one request are prepared in the loop, before others get their turn.
TURN_SECONDS = 0.001

T = TypeVar("T")


class Received(NamedTuple):
    """A request that has arrived whole. The moments are of `time.perf_counter`."""

    asked: Asked
    loaded: Loaded
    sent: Sent
    caller: Caller
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
        self.preparers = preparers
        self.window = window
        self.metrics = metrics
        self.models = {name: Loaded(engine, settings, metrics) for name, engine in engines.items()}
        self.default = choose({}, engines, settings.default_model)

        def rejected(cause: str) -> Callable[[], None]:
            return partial(metrics.count, "numeral_rejections", cause)

        self.uploads = Admission(
            settings.max_upload_bytes,
            "bytes of uploads",
            "NUMERAL_MAX_UPLOAD_BYTES",
            board.set_upload_bytes,
            rejected("upload_bytes"),
        )
        self.images = Admission(
            settings.queue_size, "images", "NUMERAL_QUEUE_SIZE", board.set_in_work, rejected("images")
        )
        # Of the images those that need a process: a queue full of these keeps no small one out.
        large = max(settings.max_files, settings.queue_size // 2)
        self.pictures = Admission(large, "large images", "NUMERAL_QUEUE_SIZE", reject=rejected("large_images"))
        self.begin = TimeLimit(min(GRACE_SECONDS, settings.read_timeout_ms / 1000))
        self.deadline = TimeLimit(settings.deadline_ms / 1000)

    def close(self) -> None:
        for loaded in self.models.values():
            loaded.batcher.close()
        self.begin.close()
        self.deadline.close()

    def engines(self) -> dict[str, Engine]:
        return {name: loaded.engine for name, loaded in self.models.items()}

    async def change_to(self, engines: Mapping[str, Engine]) -> None:
        """engines: of the same names. Returns when nothing is answered by others any more."""
        before = self.models
        self.models = {
            name: before[name] if before[name].engine is engine else Loaded(engine, self.settings, self.metrics)
            for name, engine in engines.items()
        }
        for name, loaded in before.items():
            if self.models[name] is not loaded:
                await loaded.retire()

    def queue(self) -> int:
        """Images that wait for a batch."""
        return sum(loaded.batcher.queue for loaded in self.models.values())

    def stuck(self) -> bool:
        """Whether a network has run for longer than anybody waits for it."""
        return any(loaded.batcher.runs_longer_than(self.deadline.seconds) for loaded in self.models.values())

    async def classify(self, request: Request) -> Response:
        """An object for one file, a list for several. Raises Problem where the request as a whole fails."""
        began = time.perf_counter()
        options = options_of(request)
        asked = self.choose(options)
        with Account(self.metrics, request, asked.model, began) as account, self.uploads.hold() as held:
            caller = caller_of(request, began)
            sent = await read_uploads(request, self.settings, held, self.begin)
            if sent.options:
                asked = self.choose(joined(options, sent.options))
                account.model = asked.model
            received = Received(asked, self.models[asked.model], sent, caller, began, time.perf_counter())
            items = await self.items(received)
            response = respond(items, sent.listed, self.settle(account, received, items))
            account.success = response.status_code == HTTPStatus.OK
            return response

    def choose(self, options: Mapping[str, str]) -> Asked:
        return choose(options, self.models, self.settings.default_model) if options else self.default

    def settle(self, account: Account, received: Received, items: Sequence[Item]) -> dict[str, float]:
        """Counts the images and tells the log of them. Returns what `latency_of` does."""
        for item in items:
            self.metrics.read_image(account.model, item.outcome)
        latency = latency_of(items)
        if account.entry is not None:
            account.entry |= told(received, items, latency)
        return latency

    async def items(self, received: Received, ready: list[Ready] | None = None) -> list[Item]:
        """One for each upload. `ready`: what they were prepared to, where they came as that.

        Raises Problem as `admit`.
        """
        uploads, loaded, caller = received.sent.uploads, received.loaded, received.caller

        async def read() -> tuple[list[Ready], list[Seen | None]]:
            prepared = await self.prepare_all(uploads, loaded.wanted, caller) if ready is None else ready
            return prepared, await infer(loaded.batcher, prepared, caller)

        with loaded:
            prepared, seen = await self.admit(len(uploads), caller, read)
            return [
                self.item(received, upload, one, network)
                for upload, one, network in zip(uploads, prepared, seen, strict=True)
            ]

    async def prepared(self, upload: Upload, caller: Caller) -> Prepared:
        """For the default model, which does not see it. Raises Problem as `admit`."""
        wanted = self.models[self.settings.default_model].wanted
        (ready,) = await self.admit(1, caller, lambda: self.prepare_all([upload], wanted, caller))
        return ready.prepared

    async def admit(self, images: int, caller: Caller, work: Callable[[], Awaitable[T]]) -> T:
        """Raises Problem for the request as a whole: 429 no room or no turn, 504 past the deadline or the caller's."""
        with self.images.hold() as held:
            held.add(images)
            try:
                with self.deadline.start():
                    return await work()
            except TimeoutError as error:
                detail = f"no answer within the deadline of {self.settings.deadline_ms} ms (NUMERAL_DEADLINE_MS)"
                raise Problem(HTTPStatus.GATEWAY_TIMEOUT, detail) from error
            except NoTurn as error:
                self.metrics.count("numeral_rejections", "large_images")
                raise no_turn(self.preparers.longest_wait) from error
            except CallerLeft as error:
                self.metrics.count("numeral_dropped_images", error.before, images)
                raise nobody_waits(caller) from error

    async def prepare_all(self, uploads: Sequence[Upload], wanted: Wanted, caller: Caller) -> list[Ready]:
        """In their order. What is quick is prepared here, what is not side by side in processes of its own."""
        here: dict[int, Ready] = {}
        turn = time.perf_counter()
        for number, upload in enumerate(uploads):
            if not caller.waits():
                raise CallerLeft("decode")
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
            elsewhere = iter(await self.prepare_elsewhere(slow, wanted, caller))
        return [here[number] if number in here else next(elsewhere) for number in range(len(uploads))]

    async def prepare_elsewhere(self, uploads: Sequence[Upload], wanted: Wanted, caller: Caller) -> list[Ready]:
        since = asyncio.get_running_loop().time()

        async def one(upload: Upload) -> Ready:
            handed = time.perf_counter()
            prepared = await self.preparers.prepare(upload.content, wanted, caller, since)
            return Ready(prepared, handed, time.perf_counter())

        ready: list[Ready] = []
        # As many at a time as there are processes: the pictures of other requests come in between.
        for start in range(0, len(uploads), self.preparers.count):
            tasks = [asyncio.ensure_future(one(upload)) for upload in uploads[start : start + self.preparers.count]]
            try:
                ready += await asyncio.gather(*tasks)
            finally:
                # Where one gets no turn, nobody would end the others. Taken out of the list, as a traceback that one of
                # them holds has hold of it.
                while tasks:
                    tasks.pop().cancel()
        return ready

    def item(self, received: Received, upload: Upload, ready: Ready, seen: Seen | None) -> Item:
        prepared = ready.prepared
        if prepared.fault:
            fault = problem.of_fault(prepared.fault)
            named = {"file": upload.filename} if len(received.sent.uploads) > 1 else {}
            return Item(fault.status, {**fault.body(), **named}, "error", None)
        loaded = received.loaded
        times = times_of(received, ready, seen)
        latency = times.latency()
        self.window.add(latency)
        self.metrics.took(received.asked.model, latency, times.answered - times.inferred)
        artefact = loaded.artefact
        body = {
            **(
                verdict.classified(artefact, seen.candidates)
                if seen
                else verdict.refused(artefact, prepared.reason or "")
            ),
            "model": loaded.described,
            "provider": loaded.engine.provider,
            "batch_size": seen.batch_size if seen else 0,
            "latency_ms": latency.as_json(),
            "note": prepared.note,
            "file": upload.filename,
            "receipt": receipt.receipt(prepared.sha256, loaded.conditions),
        }
        if received.asked.explain:
            body["candidates"] = verdict.explained(artefact, prepared, seen.candidates if seen else [])
        self.count(received.asked.model, body, seen)
        return Item(HTTPStatus.OK, body, "accepted" if body["accepted"] else "refused", times)

    def count(self, model: str, body: Mapping[str, Any], seen: Seen | None) -> None:
        """What was read, or why nothing was."""
        if seen:
            self.metrics.was_sure(model, body["confidence"])
        if body["reason"] is None:
            self.metrics.accepted(model, str(body["digit"] if "digit" in body else body["label"]))
        else:
            self.metrics.refused(model, body["reason"])


def respond(items: Sequence[Item], listed: bool, latency: Mapping[str, float]) -> Response:
    """A problem has its own status where it is the only file's, and a place in the list where there is one."""
    if listed or len(items) > 1:
        return Answered(json_text([item.body for item in items]), latency)
    (item,) = items
    if item.status != HTTPStatus.OK:
        return Response(json_text(item.body), item.status, media_type=problem.MEDIA_TYPE)
    return Answered(json_text(item.body), latency)


class Answered(Response):
    """200, and where the milliseconds went. Its headers are bytes at once: Starlette's way from text to these, of each
    answer anew, takes longer than the JSON."""

    def __init__(self, body: bytes, latency: Mapping[str, float]) -> None:
        self.status_code = HTTPStatus.OK.value
        self.body = body
        self.background = None
        self.raw_headers = [(b"content-length", b"%d" % len(body)), (b"content-type", b"application/json")]
        if latency:
            self.raw_headers.append((b"server-timing", server_timing(latency).encode()))


def latency_of(items: Sequence[Item]) -> dict[str, float]:
    """Milliseconds by stage of the request that they are all of, empty where none was read."""
    if len(items) == 1:
        latency: dict[str, float] = items[0].body.get("latency_ms", {})
        return latency
    times = [item.times for item in items if item.times]
    return of_request(times).as_json() if times else {}


def told(received: Received, items: Sequence[Item], latency: Mapping[str, float]) -> dict[str, Any]:
    """What the log says of the images."""
    size = sum(len(upload.content) for upload in received.sent.uploads)
    about = about_images(size, [item.outcome for item in items], latency)
    return about | (about_image(items[0].body) if len(items) == 1 else {})


async def infer(batcher: Batcher, ready: Sequence[Ready], caller: Caller) -> list[Seen | None]:
    """In the order of `ready`, None for what the network need not see."""
    pixels = [one.prepared.pixels for one in ready if one.prepared.pixels is not None]
    if not pixels:
        return [None] * len(ready)
    images = np.concatenate(pixels) if len(pixels) > 1 else pixels[0]
    pieces = await within(caller, batcher.submit(images, caller), before="inference")
    rows = (
        Seen([row], piece.batch_size, piece.queued, piece.ran, piece.ended)
        for piece in pieces
        for row in verdict.rounded(piece.probabilities)
    )
    return [None if one.prepared.pixels is None else of_one(rows, len(one.prepared.pixels)) for one in ready]


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
