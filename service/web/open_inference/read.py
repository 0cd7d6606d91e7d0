"""Takes an inference request apart: its JSON, and the tensor behind that where it was sent as bytes."""

import math
from http import HTTPStatus
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError
from starlette.requests import Request

from service.model.artefact import Artefact
from service.web.open_inference import models
from service.web.open_inference.tensors import brief, files_of, images_of
from service.web.open_inference.wire import InferRequest, RequestInput, RequestOutput
from service.web.problem import Problem

HEADER_LENGTH = "Inference-Header-Content-Length"

# What a request may hold in its JSON beside the elements of a tensor. An empty list takes three bytes of a body, and
# thirty times as many when it is read.
VALUES_BESIDE = 10_000
# Each takes as long as ten lists, and none is an element of a tensor.
OBJECTS = 1000
# That no tensor needs.
LISTS_BESIDE = 1000


class Wanted(NamedTuple):
    """An output. `classification`: how many of the likeliest classes it is to name, 0 for plain numbers."""

    name: str
    binary: bool
    classification: int


class Inference(NamedTuple):
    """Of `images`, uint8 [N, *shape of the model], and `files` one is there. timeout: microseconds, 0 for none."""

    id: str | None
    input: str
    images: NDArray[np.uint8] | None
    files: list[bytes] | None
    outputs: list[Wanted]
    timeout: int


def read_inference(request: Request, body: bytes, artefact: Artefact, limit: int) -> Inference:
    """`limit`: of images in a request. Raises Problem: 400 where it is no such request, 413 past the limit."""
    head, raw = parted(request, body)
    wire = parsed(
        head, limit * math.prod(artefact.shape) + VALUES_BESIDE, limit * lists_of(artefact.shape) + LISTS_BESIDE
    )
    if len(wire.inputs) > 1:
        names = ", ".join(repr(each.name[:40]) for each in wire.inputs)
        raise bad(f"the request has {len(wire.inputs)} inputs, {names}; allowed: one")
    (given,) = wire.inputs
    tensor = raw_tensor(given, raw)
    outputs = wanted(wire, artefact)
    timeout = (wire.parameters and wire.parameters.timeout) or 0
    match given.datatype:
        case "UINT8":
            return Inference(
                wire.id, given.name, images_of(given, tensor, artefact.shape, limit), None, outputs, timeout
            )
        case "BYTES":
            return Inference(wire.id, given.name, None, files_of(given, tensor, limit), outputs, timeout)
    raise bad(f"input {given.name[:40]!r} has datatype {given.datatype!r}; allowed: {models.inputs_in_words(artefact)}")


def parted(request: Request, body: bytes) -> tuple[bytes, bytes]:
    """The JSON, and what comes behind it."""
    said = request.headers.get(HEADER_LENGTH)
    if said is None:
        return body, b""
    length = int(said) if said.isdecimal() and len(said) < 20 else 0
    if not 0 < length <= len(body):
        raise bad(f"{HEADER_LENGTH} is {said[:40]!r}; allowed: 1 to {len(body):,}, the bytes of the body")
    return body[:length], body[length:]


def lists_of(shape: tuple[int, ...]) -> int:
    """That one image is nested in."""
    return 1 + sum(math.prod(shape[:depth]) for depth in range(1, len(shape)))


def parsed(head: bytes, most_values: int, most_lists: int) -> InferRequest:
    # Each value but the first has one of these before it. Of a text they count too; few have many.
    objects, lists = head.count(b"{"), head.count(b"[")
    values = head.count(b",") + lists + objects
    for count, most, what in (
        (values, most_values, "values"),
        (lists, most_lists, "lists"),
        (objects, OBJECTS, "objects"),
    ):
        if count > most:
            detail = f"the JSON of the request holds {count:,} {what}; the limit is {most:,}"
            raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)
    try:
        return InferRequest.model_validate_json(head)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the request"
        found = brief(first["input"]) if first["loc"] and first["type"] != "missing" else "no inference request"
        raise bad(f"{where} is {found}: {first['msg'].lower()[:200]}") from None


def raw_tensor(given: RequestInput, raw: bytes) -> bytes | None:
    """None where the input's data is JSON."""
    size = given.parameters.binary_data_size if given.parameters else None
    if (size or 0) != len(raw):
        raise bad(
            f"input {given.name[:40]!r} has binary_data_size {size or 0:,}, and {len(raw):,} bytes come behind the "
            f"JSON, which ends where {HEADER_LENGTH} says"
        )
    if size is not None and given.data is not None:
        raise bad(f"input {given.name[:40]!r} has 'data' and 'binary_data_size'; allowed: one of them")
    return None if size is None else raw


def wanted(wire: InferRequest, artefact: Artefact) -> list[Wanted]:
    """All outputs where the request names none."""
    binary = bool(wire.parameters and wire.parameters.binary_data_output)
    names = [each.name for each in models.outputs(artefact)]
    if not wire.outputs:
        return [Wanted(name, binary, 0) for name in names]
    return [wanted_output(output, names, binary) for output in wire.outputs]


def wanted_output(output: RequestOutput, names: list[str], binary: bool) -> Wanted:
    if output.name not in names:
        raise bad(f"output {output.name[:40]!r} is unknown; allowed: {', '.join(names)}")
    own = output.parameters
    classification = own.classification or 0 if own else 0
    if classification and output.name != "probabilities":
        raise bad(f"output {output.name!r} has the parameter 'classification'; it is allowed of 'probabilities'")
    return Wanted(output.name, binary if own is None or own.binary_data is None else own.binary_data, classification)


def bad(detail: str) -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, detail)
