"""The operations below /v2."""

from collections.abc import Sequence

from service.web.open_inference import models as served
from service.web.open_inference.read import HEADER_LENGTH
from service.web.openapi.responses import SERVER_TIMING, Schema, found, problems, ref

INFER_ANSWERED = (401, 404, 415, 422, 429, 504)
LOAD = (401, 403, 404, 422, 429, 504)

# A stroke from top to bottom, of 28×28 pixels.
ONE = (
    "iVBORw0KGgoAAAANSUhEUgAAABwAAAAcCAAAAABXZoBIAAAAJ0lEQVR42mNgGGSA"
    "EZX7H0WECZ9OukiiumcQOIg2kmjeHBAHDToAANj1AyQAcZmsAAAAAElFTkSuQmCC"
)


def paths(models: Sequence[str]) -> Schema:
    found = {
        "/v2": {"get": get("server", "The server", ref("ServerMetadata"))},
        "/v2/health/live": {"get": get("live", "Whether the server is alive", ref("Live"))},
        "/v2/health/ready": {"get": get("ready", "Whether all models are ready", ref("Ready"))},
        "/v2/repository/index": {"post": index()},
        "/v2/repository/models/{model}/load": {"parameters": [of_path("model", models)], "post": load()},
        "/v2/repository/models/{model}/unload": {"parameters": [of_path("model", models)], "post": unload()},
    }
    for path, name, parameters in (
        ("/v2/models/{model}", "model", [of_path("model", models)]),
        (
            "/v2/models/{model}/versions/{version}",
            "version",
            [of_path("model", models), of_path("version", [served.VERSION])],
        ),
    ):
        found |= of_model(path, name, parameters)
    return found


def of_model(path: str, name: str, parameters: list[Schema]) -> Schema:
    told = {
        "": get(f"{name}_metadata", "What a model takes and gives", ref("ModelMetadata"), 404),
        "/ready": get(f"{name}_ready", "Whether a model is ready", ref("ModelReady"), 404),
        "/config": get(f"{name}_config", "A model as Triton configures it", ref("ModelConfig"), 404),
    }
    operations = {f"{path}{rest}": {"parameters": parameters, "get": operation} for rest, operation in told.items()}
    return {**operations, f"{path}/infer": {"parameters": parameters, "post": infer(f"{name}_infer")}}


def get(name: str, summary: str, schema: Schema, *statuses: int) -> Schema:
    return {
        "operationId": f"v2_{name}",
        "tags": ["v2"],
        "summary": summary,
        "responses": {**found(summary.lower(), {"application/json": schema}), **problems(*statuses)},
    }


def index() -> Schema:
    """Its body is not looked at."""
    return get("index", "All models", {"type": "array", "items": ref("IndexEntry")}, 401, 429)


def load() -> Schema:
    return {
        "operationId": "v2_load",
        "tags": ["v2"],
        "summary": "Have all workers serve what the folder of a model holds now",
        "description": "Only where keys are asked for. Answered when it is done; what is refused changes nothing.",
        "responses": {**found("which is served now", {"application/json": ref("RepositoryModel")}), **problems(*LOAD)},
    }


def unload() -> Schema:
    summary = "Refused: a server serves its models to its end"
    return {"operationId": "v2_unload", "tags": ["v2"], "summary": summary, "responses": problems(401, 403, 404, 429)}


def of_path(name: str, values: Sequence[str]) -> Schema:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "enum": list(values)}}


def infer(name: str) -> Schema:
    return {
        "operationId": f"v2_{name}",
        "tags": ["v2"],
        "summary": "Read images, as tensors or as files",
        "description": "One input: canonical images as UINT8, which go to the network as they are, or image files as "
        "BYTES, which are read as by /classify. An image that cannot be read fails the request. Where there was "
        "nothing to read `digit` is -1, `label` is empty and `probabilities` are 0; where an answer is accepted "
        "`reason` is empty. Texts that are answered in JSON are plain, files that are sent in it are in base64. The "
        "parameter `timeout` says for how many microseconds the client waits.",
        "parameters": [
            {
                "name": HEADER_LENGTH,
                "in": "header",
                "description": "bytes of the JSON, where a tensor comes behind it",
                "schema": {"type": "integer", "minimum": 1},
            }
        ],
        "requestBody": {"required": True, "content": bodies()},
        "responses": {**answers(), **problems(*INFER_ANSWERED)},
    }


def bodies() -> Schema:
    given = {"name": "files", "datatype": "BYTES", "shape": [1], "data": [ONE]}
    behind = {"type": "string", "format": "binary", "description": "the JSON, and the tensor behind it"}
    return {
        "application/json": {"schema": ref("InferRequest"), "example": {"inputs": [given]}},
        "application/octet-stream": {"schema": behind},
    }


def answers() -> Schema:
    length = {"description": "bytes of the JSON, where tensors come behind it", "schema": {"type": "string"}}
    behind = {"type": "string", "format": "binary", "description": "the JSON, and tensors behind it"}
    return found(
        "the outputs",
        {"application/json": ref("InferResponse"), "application/octet-stream": behind},
        {**SERVER_TIMING, HEADER_LENGTH: length},
    )
