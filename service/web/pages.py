"""Everything that is read and not classified: the web page, the models, the statistics and the metrics."""

from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from service.fleet.board import IN_WORK
from service.model.engine import Engine
from service.web.worker import Worker

PAGE = Path(__file__).with_name("page.html")
PAGE_HEADERS = {
    # The page holds its own script and style, and talks to this server alone.
    "Content-Security-Policy": "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src blob: data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
}


def worker_of(request: Request) -> Worker:
    worker: Worker = request.app.state.worker
    return worker


async def page(request: Request) -> Response:
    return FileResponse(PAGE, headers=PAGE_HEADERS)


async def models(request: Request) -> Response:
    """By name: hash, test accuracy, labels, what thresholds come to, and the execution provider that is active."""
    worker = worker_of(request)
    return JSONResponse(
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


async def stats(request: Request) -> Response:
    """Percentiles by stage over the last images of all workers, and how many are in work now."""
    worker = worker_of(request)
    alive = worker.board.alive()
    in_work = int(alive[:, IN_WORK].sum())
    return JSONResponse({"workers": len(alive), "images_in_work": in_work, **worker.window.as_json()})


async def prometheus(request: Request) -> Response:
    content, media_type = worker_of(request).metrics.exposition()
    return Response(content, media_type=media_type)


def pages() -> Starlette:
    """Its `state.worker` is there from the worker's start on."""
    return Starlette(
        routes=[Route("/", page), Route("/models", models), Route("/stats", stats), Route("/metrics", prometheus)]
    )
