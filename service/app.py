"""The BentoML service: `bentoml serve` finds it by bentofile.yaml."""

import gc
import logging
import subprocess
import sys
from pathlib import Path
from typing import Self

import bentoml
from bentoml.exceptions import BentoMLConfigException
from starlette.requests import Request
from starlette.responses import Response
from uvicorn.config import HTTP_PROTOCOLS

from service import settings
from service.errors import StartError
from service.fleet import shared_folder, supervisor, workers
from service.model import snapshot
from service.model.engine import load_engines
from service.web.answer import Answer
from service.web.boundary import Boundary
from service.web.pages import pages
from service.web.worker import Worker

try:
    SETTINGS = settings.load()
except StartError as error:
    # BentoML makes one line and an exit code of it.
    raise BentoMLConfigException(f"numeral cannot start: {error}") from None

# Seconds. BentoML's own timeout, which answers no problem+json and lets the work run on, must never be the first; but
# each request leaves a timer of that length behind, so it must not be long either.
TIMEOUT = (SETTINGS.read_timeout_ms + SETTINGS.deadline_ms) / 1000 + 5

ABOUT = "Reads handwritten digits: upload an image of one to /classify."

PAGES = pages()


class ImageUpload(bentoml.IODescriptor):
    """One or more image files, in any form field or as the raw body. `?model=NAME` and `?explain=1` ask for more."""

    image: Path

    @classmethod
    async def from_http_request(cls, request: Request, serde: object) -> Self:
        """Never called over HTTP, where `Boundary` answers; BentoML's own parsing would fetch URLs."""
        received: Self = cls.model_construct(image=request)
        return received


@bentoml.service(
    name="numeral",
    description=ABOUT,
    workers=workers.count(SETTINGS),
    traffic={"timeout": TIMEOUT},
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
        folder = shared_folder.make()
        supervisor.keep_to_itself(folder)
        checked = subprocess.run([sys.executable, "-m", "service.check"], cwd=settings.ROOT, check=False)
        if checked.returncode:
            sys.exit(checked.returncode)

    @bentoml.on_startup
    async def start(self) -> None:
        """Ends before the port is served, so a worker that is ready is warm."""
        # BentoML turns off all loggers that it does not know, and with this one the errors of the event loop.
        logging.getLogger("asyncio").disabled = False
        shared = shared_folder.find()
        engines = load_engines(SETTINGS, snapshot.of(shared) if shared else None)
        for engine in engines.values():
            engine.warm_up()
        self.worker = await Worker.start(SETTINGS, engines, bentoml.server_context.worker_index or 1)
        PAGES.state.worker = self.worker
        # What is there now lives as long as the process: full collections need not walk it on the clock of a request.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 50, 1_000)

    @bentoml.on_shutdown
    def stop(self) -> None:
        self.worker.close()

    @bentoml.api(route="/classify", input_spec=ImageUpload, output_spec=Answer)
    async def classify(self, image: Request) -> Response:
        """Reads each uploaded image. `?model=NAME` chooses one of /models, `?explain=1` shows the candidates."""
        raise NotImplementedError("uploads are answered by service.web.boundary; this stands for them in /docs.json")


# The counters of BentoML's own metrics grow with every path that a client makes up; ours do not.
Numeral.add_asgi_middleware(Boundary, state=PAGES.state)  # type: ignore[attr-defined]  # a bentoml Service by now

# BentoML has no setting for the protocol; uvicorn looks it up here.
HTTP_PROTOCOLS["auto"] = "service.web.protocol:Protocol"
