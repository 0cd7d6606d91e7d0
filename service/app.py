"""The BentoML service: `bentoml serve` finds it by bentofile.yaml."""

import gc
import logging
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

import bentoml
from _bentoml_impl.server import app as server_app  # type: ignore[import-untyped]  # has no annotations
from bentoml._internal.server.http.traffic import TimeoutMiddleware
from bentoml.exceptions import BentoMLConfigException
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from pydantic import Field
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp
from uvicorn.config import HTTP_PROTOCOLS

from service import settings
from service.errors import StartError
from service.fleet import generation, lifeline, shared_folder, supervisor, workers
from service.fleet.reloads import Reloads
from service.model.engine import load_engines
from service.web.answer import Answer
from service.web.boundary import Boundary
from service.web.cors import Cors
from service.web.pages import pages
from service.web.worker import Worker

try:
    SETTINGS = settings.load()
except StartError as error:
    # BentoML makes one line and an exit code of it.
    raise BentoMLConfigException(f"numeral cannot start: {error}") from None

ABOUT = "Reads handwritten digits: upload an image of one to /classify."

PAGES = pages()


class ImageUpload(bentoml.IODescriptor):
    """One or more image files, in any form field, as the raw body or in base64 in JSON. `model` and `explain` may be
    parameters of the address too."""

    image: Path
    model: str | None = Field(default=None, description="one of /models; else the default")
    explain: bool = Field(default=False, description="whether the candidates are shown")

    @classmethod
    async def from_http_request(cls, request: Request, serde: object) -> Self:
        """Never called over HTTP, where `Boundary` answers; BentoML's own parsing would fetch URLs."""
        received: Self = cls.model_construct(image=request)
        return received


@bentoml.service(
    name="numeral",
    description=ABOUT,
    workers=workers.count(SETTINGS),
    metrics={"enabled": False},
    # A line and a span for each request cost every request time, and nobody reads the spans; /metrics counts.
    logging={"access": {"enabled": False}},
    tracing={"excluded_urls": ".*"},
)
@bentoml.asgi_app(PAGES, path="/")
class Numeral:
    """Reads handwritten digits."""

    @bentoml.on_deployment
    @staticmethod
    def check() -> None:
        """Stops the start, once and with one line, where the workers could not start.

        In a process of its own: the supervisor that runs this would keep the memory of ONNX Runtime and CUDA.
        """
        # Until the arbiter knows what to do at it, it would end this process.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        folder = shared_folder.make()
        began = time.monotonic()
        checked = subprocess.run([sys.executable, "-m", "service.check"], cwd=settings.ROOT, check=False)
        if checked.returncode:
            sys.exit(checked.returncode)
        reloads = Reloads(folder, workers.count(SETTINGS))
        supervisor.keep_to_itself(folder, reloads, SETTINGS, time.monotonic() - began)

    @bentoml.on_startup
    async def start(self) -> None:
        """Ends before the port is served, so a worker that is ready is warm."""
        # BentoML turns off all loggers that it does not know, and with this one the errors of the event loop.
        logging.getLogger("asyncio").disabled = False
        # It means the supervisor, and may be sent to all of a server's processes.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        shared = shared_folder.find()
        if shared:
            lifeline.end_with_parent()
            if not shared_folder.is_held(shared):
                sys.exit("numeral: the supervisor has ended")
        number = generation.current(shared) if shared else generation.FIRST
        engines = load_engines(SETTINGS, generation.folder(shared, number) if shared else None)
        for engine in engines.values():
            engine.warm_up()
        self.worker = await Worker.start(SETTINGS, engines, number, bentoml.server_context.worker_index or 1)
        PAGES.state.worker = self.worker
        # What is there now lives as long as the process: full collections need not walk it on the clock of a request.
        gc.collect()
        gc.freeze()
        # Of what comes after, few objects at a time: nothing else is done meanwhile, and a thousand take a millisecond.
        gc.set_threshold(10_000, 5, 10)

    @bentoml.on_shutdown
    def stop(self) -> None:
        self.worker.close()

    @bentoml.api(route="/classify", input_spec=ImageUpload, output_spec=Answer)
    async def classify(self, image: Request, model: str | None = None, explain: bool = False) -> Response:
        """Reads each uploaded image. `?model=NAME` chooses one of /models, `?explain=1` shows the candidates."""
        raise NotImplementedError(
            "uploads are answered by service.web.boundary; this stands for them for BentoML's client"
        )


class AppFactory(server_app.ServiceAppFactory):
    """What is ours goes around what is BentoML's, whose own way puts it behind two layers that no setting takes away.

    Each costs a request more than its JSON: a timeout, which answers no problem+json and leaves a timer of a minute
    behind, so that a busy server has a hundred thousand; and tracing, which takes addresses apart even where all are
    excluded.
    """

    @property
    def middlewares(self) -> list[Middleware]:
        return [each for each in super().middlewares if each.cls not in (TimeoutMiddleware, OpenTelemetryMiddleware)]

    def __call__(self) -> ASGIApp:
        app = Boundary(super().__call__(), PAGES.state)
        return Cors(app, SETTINGS.cors_origins) if SETTINGS.cors_origins else app


# Where BentoML looks it up.
server_app.ServiceAppFactory = AppFactory

# BentoML has no setting for the protocol; uvicorn looks it up here.
HTTP_PROTOCOLS["auto"] = "service.web.protocol:Protocol"
