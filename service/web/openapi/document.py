"""The document as a whole."""

from collections.abc import Sequence

from service.settings import Settings
from service.version import VERSION
from service.web.openapi import classify, feedback, open_inference, pages
from service.web.openapi.responses import Schema
from service.web.openapi.schemas import schemas

ABOUT = """Reads handwritten digits: upload an image of one, get the digit, how sure the answer is, and where the
milliseconds went. Errors are problems (RFC 9457): `detail` names the offending value and what is allowed. Below /v2 is
the Open Inference Protocol, version 2, as KServe and Triton speak it."""

TAGS = {"read": "images to digits", "v2": "the same by the Open Inference Protocol", "tell": "of the service itself"}

KEYS = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}


def document(settings: Settings, models: Sequence[str]) -> Schema:
    """models: the names of those that are served."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "numeral",
            "version": VERSION,
            "description": ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": about} for name, about in TAGS.items()],
        "paths": {
            **classify.paths(settings, models),
            **open_inference.paths(models),
            **feedback.paths(),
            **pages.paths(),
        },
        "components": {"schemas": schemas(), "securitySchemes": KEYS},
        # None is asked for unless NUMERAL_API_KEY_FILE is set.
        "security": [{}, *({name: []} for name in KEYS)],
    }
