"""The operation /classify."""

from collections.abc import Sequence

from service.settings import Settings
from service.web.asked import EXPLAIN
from service.web.json_body import MOST_BYTES
from service.web.openapi.responses import SERVER_TIMING, Schema, found, problems, ref
from service.web.patience import ENVOY, GRPC
from service.web.upload import NAME_CHARACTERS

ANSWERED = (401, 414, 415, 422, 429, 504)


def paths(settings: Settings, models: Sequence[str]) -> Schema:
    name = {"type": "string", "minLength": 1, "maxLength": NAME_CHARACTERS, "pattern": "^[^/]+$"}
    named = {"name": "name", "in": "path", "required": True, "description": "of the file", "schema": name}
    put = operation("put", settings, models)
    put_file = operation("put_file", settings, models)
    return {
        "/classify": {"post": operation("classify", settings, models), "put": put},
        "/classify/{name}": {"put": {**put_file, "parameters": [named, *put_file["parameters"]]}},
    }


def operation(name: str, settings: Settings, models: Sequence[str]) -> Schema:
    return {
        "operationId": name,
        "tags": ["read"],
        "summary": "Read one or several images",
        "description": "One file is answered with an object, or with the problem that it has. Several are answered "
        "with a list in their order, and one of them that cannot be read has a problem in its place. The headers "
        f"`{GRPC}` (250m) and `{ENVOY}` (250) say how long the client waits.",
        "parameters": parameters(settings, models),
        "requestBody": {"required": True, "content": bodies(settings, models)},
        "responses": {**answers(), **problems(*ANSWERED)},
    }


def parameters(settings: Settings, models: Sequence[str]) -> list[Schema]:
    return [
        {"name": name, "in": "query", "description": schema.pop("description"), "schema": schema}
        for name, schema in options(settings, models).items()
    ]


def options(settings: Settings, models: Sequence[str]) -> Schema:
    """What may stand in the address, and in a form or JSON as well."""
    return {
        "model": {
            "type": "string",
            "enum": list(models),
            "default": settings.default_model,
            "description": "which reads; /models lists them",
        },
        "explain": {
            "type": "string",
            "enum": list(EXPLAIN),
            "default": "0",
            "description": "1: what was read of each candidate",
        },
    }


def fields(settings: Settings, models: Sequence[str]) -> Schema:
    """The same beside the files. Without a default, which a client would send beside another in the address."""
    return {
        name: {key: value for key, value in schema.items() if key != "default"}
        for name, schema in options(settings, models).items()
    }


def bodies(settings: Settings, models: Sequence[str]) -> Schema:
    """By content type."""
    file = {"type": "string", "format": "binary"}
    files = {
        "type": "array",
        "items": file,
        "minItems": 1,
        "maxItems": settings.max_files,
        "description": "image files; a field of any other name is read too, if it has a file name",
    }
    form = {
        "type": "object",
        "properties": {"image": files, **fields(settings, models)},
        "required": ["image"],
    }
    raw = f"one image file of up to {settings.max_body_bytes:,} bytes; any other content type is read as this too"
    return {
        "multipart/form-data": {"schema": form},
        "application/json": {"schema": in_json(settings, models)},
        "application/octet-stream": {"schema": {**file, "description": raw}},
    }


def in_json(settings: Settings, models: Sequence[str]) -> Schema:
    text = f"a file in base64, or a data URL of it; all of the JSON has up to {MOST_BYTES:,} bytes"
    image = {"type": "string", "contentEncoding": "base64", "description": text}
    images = {"type": "array", "items": image, "minItems": 1, "maxItems": settings.max_files}
    explain = {"type": "boolean", "description": "what was read of each candidate"}
    beside = {**fields(settings, models), "explain": explain}
    return {
        "oneOf": [
            {
                "type": "object",
                "properties": {name: what, **beside},
                "required": [name],
                "additionalProperties": False,
            }
            for name, what in (("image", image), ("images", images))
        ]
    }


def answers() -> Schema:
    several = {"type": "array", "items": {"oneOf": [ref("Answer"), ref("Problem")]}}
    schema = {"oneOf": [ref("Answer"), several]}
    return found("what was read", {"application/json": schema}, SERVER_TIMING)
