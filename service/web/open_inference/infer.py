"""The way of an inference request: the same batchers, limits and deadline as an upload's, other words around it."""

import time
from http import HTTPStatus

import numpy as np
from numpy.typing import NDArray
from starlette.requests import Request
from starlette.responses import Response

from service.fleet.caller import Hurried
from service.fleet.latency import server_timing
from service.picture.prepare import Prepared
from service.web.account import Account
from service.web.asked import Asked
from service.web.classify import Classifier, Item, Ready, Received
from service.web.open_inference.read import Inference, read_inference
from service.web.open_inference.respond import respond
from service.web.patience import caller_of
from service.web.problem import Problem
from service.web.sent import Sent, Upload
from service.web.upload import read_body

# In a second.
MICROSECONDS = 1_000_000


async def infer(request: Request, classifier: Classifier, model: str) -> Response:
    """Raises Problem. One image that cannot be read fails the request: the protocol has a single status for all."""
    began = time.perf_counter()
    with Account(classifier.metrics, request, model, began) as account, classifier.uploads.hold() as held:
        refuse_encoded(request)
        caller = caller_of(request, began)
        body = await read_body(request, classifier.settings, held, classifier.begin)
        loaded = classifier.models[model]
        artefact = loaded.artefact
        inference = read_inference(request, body, artefact, classifier.settings.max_files)
        if inference.timeout:
            caller = Hurried(caller, began + inference.timeout / MICROSECONDS)
        asked = Asked(model, explain=False)
        received = Received(asked, loaded, Sent(uploads_of(inference)), caller, began, time.perf_counter())
        items = await classifier.items(received, None if inference.images is None else as_sent(inference.images))
        latency = classifier.settle(account, received, items)
        refuse_unreadable(inference, items)
        response = respond(inference, artefact, [item.body for item in items], server_timing(latency))
        account.success = True
        return response


def refuse_encoded(request: Request) -> None:
    encoding = request.headers.get("content-encoding", "identity")
    if encoding.lower() not in ("", "identity"):
        raise Problem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"the body is encoded as {encoding[:40]!r}; allowed: identity, a body that is not compressed",
            {"Accept-Encoding": "identity"},
        )


def uploads_of(inference: Inference) -> list[Upload]:
    if inference.files is not None:
        return [Upload(file) for file in inference.files]
    return [Upload(b"")] * (0 if inference.images is None else len(inference.images))


def as_sent(images: NDArray[np.uint8]) -> list[Ready]:
    """images: uint8 [N, *shape of the model], what a picture would have been made into."""
    now = time.perf_counter()
    return [
        Ready(Prepared(images[i : i + 1], ("an image as it was sent",), (), None, None, None, 0.0, 0.0), now, now)
        for i in range(len(images))
    ]


def refuse_unreadable(inference: Inference, items: list[Item]) -> None:
    for number, item in enumerate(items):
        if item.status != HTTPStatus.OK:
            raise Problem(item.status, f"element {number} of input {inference.input[:40]!r}: {item.body['detail']}")
