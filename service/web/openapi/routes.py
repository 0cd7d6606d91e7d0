"""/docs.json in place of BentoML's, and /docs, the page for it. Its script and style are those that BentoML brings."""

import base64
import hashlib
from functools import cache
from pathlib import Path

import orjson
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from service.settings import Settings
from service.web.endpoint import endpoint
from service.web.openapi.document import document
from service.web.worker import Worker

PAGE = Path(__file__).with_name("swagger.html")


async def docs_json(request: Request, worker: Worker) -> Response:
    return Response(described(worker.settings, tuple(sorted(worker.engines))), media_type="application/json")


@cache
def described(settings: Settings, models: tuple[str, ...]) -> bytes:
    return orjson.dumps(document(settings, models))


async def docs(request: Request, worker: Worker) -> Response:
    page, policy = swagger()
    return HTMLResponse(page, headers={"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff"})


@cache
def swagger() -> tuple[str, str]:
    """The page, and a policy by which it loads and asks nothing but this server."""
    page = PAGE.read_text()
    script = page.rsplit("<script>", 1)[1].split("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; script-src 'self' 'sha256-{digest}'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
    )
    return page, policy


def routes() -> list[Route]:
    return [Route("/docs.json", endpoint(docs_json)), Route("/docs", endpoint(docs))]
