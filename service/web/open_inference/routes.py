"""The addresses below /v2."""

from collections.abc import Sequence
from http import HTTPStatus

from pydantic import BaseModel, TypeAdapter
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from service.model.engine import Engine
from service.web.endpoint import Handler, endpoint
from service.web.open_inference import models, repository
from service.web.open_inference.infer import infer
from service.web.open_inference.wire import IndexEntry, Live, ModelReady, Ready
from service.web.problem import Problem
from service.web.worker import Worker


async def server(request: Request, worker: Worker) -> Response:
    return told(models.server())


async def live(request: Request, worker: Worker) -> Response:
    return told(Live(live=True))


async def ready(request: Request, worker: Worker) -> Response:
    """A worker takes no request before its models are warm."""
    return told(Ready(ready=True))


async def index(request: Request, worker: Worker) -> Response:
    """What the body asks, for those that are ready alone, changes nothing: all are."""
    entries = TypeAdapter(list[IndexEntry]).dump_json(models.index(worker.engines))
    return Response(entries, media_type="application/json")


async def model(request: Request, worker: Worker) -> Response:
    return told(models.metadata(engine_of(request, worker)))


async def model_ready(request: Request, worker: Worker) -> Response:
    return told(ModelReady(name=engine_of(request, worker).artefact.name, ready=True))


async def model_config(request: Request, worker: Worker) -> Response:
    return told(models.config(engine_of(request, worker).artefact, worker.settings.max_files))


async def model_infer(request: Request, worker: Worker) -> Response:
    return await infer(request, worker.classifier, engine_of(request, worker).artefact.name)


async def load(request: Request, worker: Worker) -> Response:
    return await repository.load(request, worker, engine_of(request, worker).artefact.name)


async def unload(request: Request, worker: Worker) -> Response:
    raise repository.not_unloaded()


def told(answer: BaseModel) -> Response:
    return Response(answer.model_dump_json(exclude_none=True), media_type="application/json")


def engine_of(request: Request, worker: Worker) -> Engine:
    """Raises Problem 404 where there is no such model, or not in that version."""
    name, version = request.path_params["model"], request.path_params.get("version", models.VERSION)
    if name not in worker.engines:
        allowed = ", ".join(sorted(worker.engines))
        raise Problem(HTTPStatus.NOT_FOUND, f"model {name[:40]!r} is unknown; allowed: {allowed}")
    if version != models.VERSION:
        detail = f"version {version[:40]!r} of model {name!r} is unknown; allowed: {models.VERSION}"
        raise Problem(HTTPStatus.NOT_FOUND, detail)
    return worker.engines[name]


OF_SERVER: Sequence[tuple[str, str, Handler]] = (
    ("GET", "/v2", server),
    ("GET", "/v2/health/live", live),
    ("GET", "/v2/health/ready", ready),
    ("POST", "/v2/repository/index", index),
    ("POST", "/v2/repository/models/{model}/load", load),
    ("POST", "/v2/repository/models/{model}/unload", unload),
)

# Below the address of a model, with its version or without.
OF_MODEL: Sequence[tuple[str, str, Handler]] = (
    ("GET", "", model),
    ("GET", "/ready", model_ready),
    ("GET", "/config", model_config),
    ("POST", "/infer", model_infer),
)


def routes() -> list[Route]:
    return [
        Route(path, endpoint(handler), methods=[method])
        for method, path, handler in (
            *OF_SERVER,
            *((method, f"/v2/models/{{model}}{rest}", handler) for method, rest, handler in OF_MODEL),
            *(
                (method, f"/v2/models/{{model}}/versions/{{version}}{rest}", handler)
                for method, rest, handler in OF_MODEL
            ),
        )
    ]
