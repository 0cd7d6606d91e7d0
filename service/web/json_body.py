"""Takes files and options out of JSON: `{"image": BASE64}` or `{"images": [BASE64, …]}`, each perhaps a data URL."""

import binascii
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson

from service.web.asked import OPTIONS
from service.web.problem import Problem
from service.web.sent import Sent, Upload

# Base64 of three million bytes, which takes some 25 ms of what all requests share: a form of as many takes one.
MOST_BYTES = 4_000_000

KEYS = ("image", "images", *OPTIONS)

# What begins a value or parts it from the next. Base64 has none of these and a data URL one, so a body with more than
# so many a file is none of ours; parsed, each would take up to a hundred bytes for one of its own.
MARKS = (b",", b"[", b"{")
MARKS_A_FILE = 3
OTHER_MARKS = 64


def is_json(content_type: str, body: bytes) -> bool:
    """A picture may be sent under any content type: none of the formats begins with a brace."""
    return content_type.lower().startswith("application/json") and body[:100].lstrip().startswith(b"{")


def read_json(body: bytes, max_files: int) -> Sent:
    """Raises Problem: 400 malformed or other than above, 413 past a limit."""
    if len(body) > MOST_BYTES:
        detail = f"the JSON has {len(body):,} bytes; the limit is {MOST_BYTES:,}: send larger files raw or as a form"
        raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)
    sent = parse(body, max_files)
    if unknown := sent.keys() - set(KEYS):
        raise refused(f"{min(unknown)[:40]!r} is unknown; allowed: {', '.join(KEYS)}")
    if ("image" in sent) == ("images" in sent):
        raise refused("it must hold either 'image' or 'images'")
    images = sent["images"] if "images" in sent else [sent["image"]]
    if not isinstance(images, list) or not images:
        raise refused("'images' must be a list of at least one text in base64")
    if len(images) > max_files:
        detail = f"the JSON holds {len(images)} images; the limit is {max_files} (NUMERAL_MAX_FILES)"
        raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)
    uploads = [Upload(decoded(image, number)) for number, image in enumerate(images)]
    return Sent(uploads, options_in(sent), listed="images" in sent)


def parse(body: bytes, max_files: int) -> dict[str, Any]:
    limit = OTHER_MARKS + MARKS_A_FILE * max_files
    if (marks := sum(map(body.count, MARKS))) > limit:
        detail = f"the JSON has {marks:,} commas, brackets and braces; {limit:,} are enough for all that is allowed"
        raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)
    try:
        sent: dict[str, Any] = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise refused(str(error)) from error
    return sent


def decoded(image: object, number: int) -> bytes:
    """Of base64, or of a data URL (RFC 2397) of it; lines may be broken."""
    if not isinstance(image, str):
        raise refused(f"image {number} must be a text in base64")
    if image.startswith("data:"):
        head, comma, image = image.partition(",")
        if not comma or not head.endswith(";base64"):
            raise refused(f"image {number} is a data URL that begins {head[:40]!r}; allowed: data:…;base64,…")
    try:
        return binascii.a2b_base64(image.replace("\r", "").replace("\n", ""), strict_mode=True)
    except ValueError as error:
        raise refused(f"image {number} is no base64: {error}; it begins {image[:40]!r}") from error


def options_in(sent: Mapping[str, Any]) -> dict[str, str]:
    """As texts, as an address has them. Raises Problem where one is neither text, number nor true or false."""
    given = {name: sent[name] for name in OPTIONS if sent.get(name) is not None}
    for name, value in given.items():
        if not isinstance(value, str | int):
            raise refused(f"{name!r} must be a text, true or false")
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in given.items()}


def refused(reason: str) -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, f"the JSON cannot be understood: {reason}")
