"""Everything that is not classified: the web page, the models, the statistics and the metrics, and corrections."""

from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from service.fleet.board import IN_WORK
from service.model.engine import Engine
from service.web import feedback
from service.web.endpoint import endpoint, json_response
from service.web.exposition import MEDIA_TYPE
from service.web.open_inference import routes as open_inference
from service.web.openapi import routes as openapi
from service.web.worker import Worker

PAGE = Path(__file__).with_name("page")
PAGE_HEADERS = {
    # The page is made of files of this server, and talks to it alone.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    # Asked for anew each time, by its ETag: after an update no old script meets a new page.
    "Cache-Control": "no-cache",
}


class PageFiles(StaticFiles):
    """Scripts, styles and pictures of the page."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(PAGE_HEADERS)
        return response


async def page(request: Request, worker: Worker) -> Response:
    return FileResponse(PAGE / "index.html", headers=PAGE_HEADERS)


async def models(request: Request, worker: Worker) -> Response:
    """By name: hash, test accuracy, labels, what thresholds come to, and the execution provider that is active."""
    return json_response(
        {
            name: {**summary(engine), "default": name == worker.settings.default_model}
            for name, engine in worker.engines.items()
        }
    )


def summary(engine: Engine) -> dict[str, object]:
    artefact = engine.artefact
    return {
        "network": artefact.network,
        "precision": artefact.precision,
        "sha256": artefact.sha256,
        "labels": artefact.labels,
        "input": artefact.shape,
        "test_accuracy": artefact.test_accuracy,
        "test_images": artefact.test_images,
        "reject_threshold": artefact.reject_threshold,
        "calibration": artefact.calibration.model_dump(),
        "provider": engine.provider,
        "max_batch": engine.max_batch,
    }


async def stats(request: Request, worker: Worker) -> Response:
    """Percentiles by stage over the last images of all workers, and how many are in work now."""
    alive = worker.board.alive()
    in_work = int(alive[:, IN_WORK].sum())
    return json_response({"workers": len(alive), "images_in_work": in_work, **worker.window.as_json()})


async def prometheus(request: Request, worker: Worker) -> Response:
    return Response(worker.exposition.text(), media_type=MEDIA_TYPE)


def pages() -> Starlette:
    """Its `state.worker` is there from the worker's start on."""
    own = [
        Route("/", endpoint(page)),
        Mount("/page", PageFiles(directory=PAGE)),
        Route("/models", endpoint(models)),
        Route("/stats", endpoint(stats)),
        Route("/metrics", endpoint(prometheus)),
        Route("/feedback", endpoint(feedback.answer), methods=["GET", "POST"]),
    ]
    return Starlette(routes=[*own, *open_inference.routes(), *openapi.routes()])
