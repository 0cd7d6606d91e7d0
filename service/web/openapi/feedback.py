"""The operations of /feedback."""

from service.web.feedback import LABELS
from service.web.openapi.pages import get
from service.web.openapi.responses import Schema, found, problems, ref

REFUSED = (401, 403, 404, 414, 415, 422, 429, 504, 507)


def paths() -> Schema:
    tell = get("feedback", "Whether corrections are kept", "application/json", ref("Feedback"))
    return {"/feedback": {**tell, "post": keep()}}


def keep() -> Schema:
    label = {"type": "string", "enum": list(LABELS)}
    file = {"type": "string", "format": "binary"}
    return {
        "operationId": "keep_feedback",
        "tags": ["read"],
        "summary": "Keep a picture with its right label",
        "parameters": [
            {"name": "label", "in": "query", "required": True, "description": "-1: no digit", "schema": label}
        ],
        "requestBody": {"required": True, "content": {"application/octet-stream": {"schema": file}}},
        "responses": {**found("it is kept", {"application/json": ref("Kept")}), **problems(*REFUSED)},
    }
