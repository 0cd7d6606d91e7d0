"""Who may send something: whoever has a key, and not too often. Told by the head of a request, before its body is read.

What is only read (GET, HEAD, OPTIONS: the page, health, metrics) stays open, as browsers, balancers and Prometheus ask
for it without a key.
"""

import math
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Self

from starlette.types import Scope

from service.fleet import shared_folder
from service.settings import Settings
from service.web import api_keys
from service.web.api_keys import ApiKeys, sent_keys
from service.web.client_rate import ClientRate, subscriber
from service.web.problem import Problem

OPEN_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

HOW = "send 'Authorization: Bearer KEY' or 'X-API-Key: KEY'"


class Gate:
    """reject: called where a client asks too often."""

    def __init__(self, keys: ApiKeys | None, rate: float, reject: Callable[[], Any]) -> None:
        self._keys = keys
        self._per_second = rate
        self._rate = ClientRate(rate) if rate else None
        self._reject = reject

    @classmethod
    def of(cls, settings: Settings, reject: Callable[[], Any]) -> Self | None:
        """None where everybody may send as much as they like."""
        if not settings.api_key_file and not settings.client_requests_per_second:
            return None
        return cls(keys_of(settings), settings.client_requests_per_second, reject)

    def refusal(self, scope: Scope) -> Problem | None:
        """Why this request is not let in. One with a wrong key counts too, so that keys cannot be tried at will."""
        if scope["method"] in OPEN_METHODS:
            return None
        key = self._keys.find(scope["headers"]) if self._keys else None
        if self._rate:
            client = subscriber((scope.get("client") or ("",))[0]) if key is None else f"key {key}"
            if seconds := self._rate.wait(client):
                self._reject()
                return self._too_often(seconds)
        return unauthorized(bool(sent_keys(scope["headers"]))) if self._keys and key is None else None

    def _too_often(self, seconds: float) -> Problem:
        detail = f"a client may send {self._per_second:g} requests a second; try again in {seconds:.1f} s"
        return Problem(HTTPStatus.TOO_MANY_REQUESTS, detail, {"Retry-After": str(math.ceil(seconds))})


def keys_of(settings: Settings) -> ApiKeys | None:
    """As they were at the start of the server; in a process that no supervisor started, as they are."""
    if not settings.api_key_file:
        return None
    shared = shared_folder.find()
    return ApiKeys(api_keys.taken(shared) if shared else api_keys.read(settings.api_key_file))


def unauthorized(sent: bool) -> Problem:
    """RFC 6750: an error is named where a key was sent. The key itself never is."""
    detail = f"the key that was sent is none of this service's; {HOW}" if sent else f"this needs a key; {HOW}"
    challenge = 'Bearer realm="numeral"' + (', error="invalid_token"' if sent else "")
    return Problem(HTTPStatus.UNAUTHORIZED, detail, {"WWW-Authenticate": challenge})
