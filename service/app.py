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
from service.answer import Answer
from service.boundary import Boundary
from service.engine import load_engines
from service.pages import pages
from service.reader import Reader, warm_up

NO_TIMEOUT = 24 * 3600
"""Seconds. BentoML's own timeout answers no problem+json and lets the work run on; the deadlines here replace it."""


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
    traffic={"timeout": NO_TIMEOUT},
    metrics={"enabled": False},
    # BentoML's access log fails, and the answer with it, at a content type that is no UTF-8.
    logging={"access": {"request_content_type": False}},
)
@bentoml.asgi_app(pages, path="/")
class Numeral:
    """Reads handwritten digits."""

    def __init__(self) -> None:
        self.settings = settings.load()
        self.engines = load_engines(self.settings)

    @bentoml.on_deployment
    @staticmethod
    def check() -> None:
        """Stops the start, once and with one line, where the workers could not start.

        In a process of its own: the supervisor that runs this would keep the memory of ONNX Runtime and CUDA.
        """
        checked = subprocess.run([sys.executable, "-m", "service.check"], cwd=settings.ROOT, check=False)
        if checked.returncode:
            sys.exit(checked.returncode)

    @bentoml.on_startup
    def start(self) -> None:
        """Ends before the port is served, so a worker that is ready is warm."""
        for engine in self.engines.values():
            engine.warm_up()
        warm_up()
        self.reader = Reader(self.settings, self.engines)
        # What is there now lives as long as the process: full collections need not walk it on the clock of a request.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 50, 1_000)

    @bentoml.on_shutdown
    def stop(self) -> None:
        self.reader.close()

    @bentoml.api(route="/classify", input_spec=ImageUpload, output_spec=Answer)
    async def classify(self, image: Request) -> Response:
        """Reads the digit in each uploaded image. `?model=NAME` chooses the model, /models lists them."""
        return await self.reader.classify(image)


# The counters of BentoML's own metrics grow with every path that a client makes up; ours do not.
Numeral.add_asgi_middleware(Boundary)  # type: ignore[attr-defined]  # the decorator made it a bentoml Service
