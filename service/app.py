"""The BentoML service: `bentoml serve` finds it by bentofile.yaml."""

import gc
import subprocess
import sys
from pathlib import Path
from typing import Self

import bentoml
from starlette.requests import Request
from starlette.responses import Response

from service import settings
from service.errors import StartError
from service.fleet import workers
from service.model.engine import load_engines
from service.settings import Settings
from service.web.answer import Answer
from service.web.boundary import Boundary
from service.web.classify import Reader, warm_up
from service.web.pages import pages


def settings_or_exit() -> Settings:
    try:
        return settings.load()
    except StartError as error:
        sys.exit(f"numeral cannot start: {error}")


SETTINGS = settings_or_exit()

TIMEOUT = (SETTINGS.read_timeout_ms + SETTINGS.deadline_ms) / 1000 + 5
"""Seconds. BentoML's own timeout, which answers no problem+json and lets the work run on, must never be the first; but
each request leaves a timer of that length behind, so it must not be long either."""

ABOUT = "Reads handwritten digits: upload an image of one to /classify."


class ImageUpload(bentoml.IODescriptor):
    """One or more image files, in any form field or as the raw body; `?model=NAME` chooses the model."""

    image: Path

    @classmethod
    async def from_http_request(cls, request: Request, serde: object) -> Self:
        """Hands the request on as it came: BentoML's own parsing fetches URLs and answers bad images with 500."""
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
@bentoml.asgi_app(pages, path="/")
class Numeral:
    """Reads handwritten digits."""

    def __init__(self) -> None:
        self.engines = load_engines(SETTINGS)

    @bentoml.on_deployment
    @staticmethod
    def check() -> None:
        """Stops the start, once and with one line, where the workers could not start.

        In a process of its own: the supervisor that runs this would keep the memory of ONNX Runtime and CUDA.
        """
        checked = subprocess.run([sys.executable, "-m", "service.check"], cwd=settings.ROOT, check=False)
        if checked.returncode:
            sys.exit(checked.returncode)
        workers.share_folder()

    @bentoml.on_startup
    def start(self) -> None:
        """Ends before the port is served, so a worker that is ready is warm."""
        for engine in self.engines.values():
            engine.warm_up()
            warm_up(engine.artefact)
        self.reader = Reader(SETTINGS, self.engines)
        # What is there now lives as long as the process: full collections need not walk it on the clock of a request.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 50, 1_000)

    @bentoml.on_shutdown
    def stop(self) -> None:
        self.reader.close()

    @bentoml.api(route="/classify", input_spec=ImageUpload, output_spec=Answer)
    async def classify(self, image: Request) -> Response:
        """Reads each uploaded image. `?model=NAME` chooses the model, /models lists them."""
        return await self.reader.classify(image)


# The counters of BentoML's own metrics grow with every path that a client makes up; ours do not.
Numeral.add_asgi_middleware(Boundary)  # type: ignore[attr-defined]  # the decorator made it a bentoml Service
