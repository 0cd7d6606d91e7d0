"""The repository's extension of the protocol: a model is loaded anew, on all workers, while they serve.

Whoever may do so sends a key; where none is asked for, an operator's signal is the only way.
"""

import asyncio
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

import orjson
from starlette.requests import Request
from starlette.responses import Response

from service.fleet import reloads, shared_folder
from service.fleet.outcome import Outcome
from service.web.open_inference.wire import RepositoryModel
from service.web.problem import Problem
from service.web.upload import read_body
from service.web.worker import Worker

# Of a body, which has nothing to say.
MOST_BYTES = 1000

# In the shared folder: whichever worker has it locked has asked for a reload.
LOCK = "load.lock"


async def load(request: Request, worker: Worker, model: str) -> Response:
    """Answers when it is done. Raises Problem: 403 where no keys are set, 422 refused, 429 while another runs, 504
    where it takes longer than a request may."""
    if not worker.settings.api_key_file:
        raise Problem(
            HTTPStatus.FORBIDDEN,
            "models are loaded at a request only where NUMERAL_API_KEY_FILE says who may ask; SIGHUP to the server's "
            "main process loads them too",
        )
    end = time.monotonic() + (worker.settings.read_timeout_ms + worker.settings.deadline_ms) / 1000
    await refuse_parameters(request, worker)
    shared = shared_folder.find()
    if shared is None:
        raise Problem(HTTPStatus.FORBIDDEN, "this server has no supervisor, which would load models")
    with alone(shared):
        came_to = await ask(shared, model, end - time.monotonic())
    if why := came_to.why_not(model):
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, why)
    loaded = RepositoryModel(name=model, sha256=worker.engines[model].artefact.sha256, changed=model in came_to.changed)
    return Response(loaded.model_dump_json(), media_type="application/json")


def not_unloaded() -> Problem:
    return Problem(
        HTTPStatus.FORBIDDEN,
        "models are not unloaded while a server runs: take the folder away from NUMERAL_MODELS_DIR, and restart",
    )


async def refuse_parameters(request: Request, worker: Worker) -> None:
    """Triton's may hold a configuration, or the model itself."""
    with worker.classifier.uploads.hold() as held:
        body = await read_body(request, worker.settings, held, worker.classifier.begin)
    if len(body) > MOST_BYTES:
        detail = f"the body has {len(body):,} bytes; allowed: none, or {{}}: the model is read from NUMERAL_MODELS_DIR"
        raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)
    try:
        sent = orjson.loads(body or b"{}")
    except orjson.JSONDecodeError as error:
        raise Problem(HTTPStatus.BAD_REQUEST, f"the JSON cannot be understood: {error}") from error
    if not isinstance(sent, dict) or sent.get("parameters"):
        detail = "the body has parameters; allowed: none, as the model is read from NUMERAL_MODELS_DIR"
        raise Problem(HTTPStatus.BAD_REQUEST, detail)


@contextmanager
def alone(shared: Path) -> Iterator[None]:
    """Raises Problem 429 where another request, of any worker, waits for a reload."""
    lock = os.open(shared / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        detail = "another request has a model loaded; one is done at a time, try again in 1 s"
        raise Problem(HTTPStatus.TOO_MANY_REQUESTS, detail, {"Retry-After": "1"}) from error
    finally:
        os.close(lock)


async def ask(shared: Path, model: str, seconds: float) -> Outcome:
    try:
        async with asyncio.timeout(seconds):
            return await reloads.ask(shared, model)
    except TimeoutError as error:
        detail = f"it was not done within {seconds:.1f} s, and goes on; the log says what it comes to"
        raise Problem(HTTPStatus.GATEWAY_TIMEOUT, detail) from error
    except OSError as error:
        detail = f"the server's main process, which loads models, cannot be asked: {error}"
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, {"Retry-After": "1"}) from error
