"""Everything that is read and not classified: the web page, the models, the statistics and the metrics."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import bentoml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from service.fleet import metrics

if TYPE_CHECKING:
    from service.web.classify import Reader

PAGE = Path(__file__).with_name("page.html")
PAGE_HEADERS = {
    # The page holds its own script and style, and talks to this server alone.
    "Content-Security-Policy": "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src blob: data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
}


@cache
def reader() -> "Reader":
    """Of this worker, which has one as long as it serves."""
    current: Reader = bentoml.get_current_service().reader
    return current


async def page(request: Request) -> Response:
    return FileResponse(PAGE, headers=PAGE_HEADERS)


async def models(request: Request) -> Response:
    """By name: hash, test accuracy, labels, and the execution provider that is active."""
    return JSONResponse(
        {
            name: {
                "network": engine.artefact.network,
                "precision": engine.artefact.precision,
                "sha256": engine.artefact.sha256,
                "labels": engine.artefact.labels,
                "input": engine.artefact.shape,
                "test_accuracy": engine.artefact.test_accuracy,
                "test_images": engine.artefact.test_images,
                "reject_threshold": engine.artefact.reject_threshold,
                "provider": engine.provider,
                "max_batch": engine.max_batch,
                "default": name == reader().settings.default_model,
            }
            for name, engine in reader().engines.items()
        }
    )


async def stats(request: Request) -> Response:
    """Percentiles by stage over the last images of all workers, and how many are in work now."""
    return JSONResponse(reader().window.as_json())


async def prometheus(request: Request) -> Response:
    content, media_type = metrics.exposition(reader().window)
    return Response(content, media_type=media_type)


pages = Starlette(
    routes=[Route("/", page), Route("/models", models), Route("/stats", stats), Route("/metrics", prometheus)]
)
