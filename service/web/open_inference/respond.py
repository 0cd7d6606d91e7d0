"""Answers as tensors, in JSON or behind it."""

from collections.abc import Sequence
from typing import Any

import orjson
from starlette.responses import Response

from service.model.artefact import Artefact
from service.web.open_inference import models
from service.web.open_inference.read import HEADER_LENGTH, Inference, Wanted
from service.web.open_inference.tensors import Tensor

# What `digit` is where there was nothing to read. `probabilities` are all 0 there.
NO_DIGIT = -1


def respond(inference: Inference, artefact: Artefact, answers: Sequence[dict[str, Any]], timing: str) -> Response:
    """answers: as /classify gives them, one for each image. timing: of the header Server-Timing."""
    tensors = [tensor_of(wanted, artefact, answers) for wanted in inference.outputs]
    outputs, behind = [], []
    for wanted, tensor in zip(inference.outputs, tensors, strict=True):
        if wanted.binary:
            behind.append(tensor.as_bytes())
            outputs.append({**tensor.described(), "parameters": {"binary_data_size": len(behind[-1])}})
        else:
            outputs.append({**tensor.described(), "data": tensor.values})
    named = {} if inference.id is None else {"id": inference.id}
    head = orjson.dumps({"model_name": artefact.name, "model_version": models.VERSION, **named, "outputs": outputs})
    headers = {"Server-Timing": timing}
    if not behind:
        return Response(head, headers=headers, media_type="application/json")
    headers[HEADER_LENGTH] = str(len(head))
    return Response(b"".join([head, *behind]), headers=headers, media_type="application/octet-stream")


def tensor_of(wanted: Wanted, artefact: Artefact, answers: Sequence[dict[str, Any]]) -> Tensor:
    if wanted.classification:
        return classification(wanted, artefact, answers)
    (kind,) = (each for each in models.outputs(artefact) if each.name == wanted.name)
    values = [value_of(wanted.name, artefact, answer) for answer in answers]
    if kind.shape[1:]:
        values = [number for row in values for number in row]
    return Tensor(kind.name, kind.datatype, [len(answers), *kind.shape[1:]], values)


def value_of(name: str, artefact: Artefact, answer: dict[str, Any]) -> Any:
    match name:
        case "probabilities":
            return probabilities(artefact, answer)
        case "digit":
            return NO_DIGIT if answer["digit"] is None else answer["digit"]
        case "label" | "reason":
            return answer[name] or ""
    return answer[name]


def probabilities(artefact: Artefact, answer: dict[str, Any]) -> list[float]:
    return list((answer["probabilities"] or dict.fromkeys(artefact.labels, 0.0)).values())


def classification(wanted: Wanted, artefact: Artefact, answers: Sequence[dict[str, Any]]) -> Tensor:
    """The likeliest first, as Triton writes them."""
    count = min(wanted.classification, len(artefact.labels))
    texts: list[str] = []
    for answer in answers:
        row = probabilities(artefact, answer)
        likeliest = sorted(range(len(row)), key=row.__getitem__, reverse=True)[:count]
        texts += [f"{row[index]:.6f}:{index}:{artefact.labels[index]}" for index in likeliest]
    return Tensor(wanted.name, "BYTES", [len(answers), count], texts)
