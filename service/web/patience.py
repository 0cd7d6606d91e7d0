"""How long whoever sent a request waits for its answer: while the connection lasts, and as long as a header says.

Two headers do. `grpc-timeout` is of gRPC's specification, the one convention whose values name their unit: `250m`.
`x-envoy-expected-rq-timeout-ms` is what Envoy, and the meshes that are made of it, tell of their own accord with each
request that they pass on. Either shortens the server's deadline and never lengthens it.
"""

import re
from http import HTTPStatus

from starlette.requests import Request

from service.fleet.caller import PATIENT, Caller, Hurried
from service.web.problem import Problem

# What a request's scope has of ours: its `Caller`.
CALLER = "numeral.caller"

GRPC = "grpc-timeout"
ENVOY = "x-envoy-expected-rq-timeout-ms"
ALLOWED = {
    GRPC: "1 to 8 digits and a unit: H, M, S, m, u or n, for hours to nanoseconds",
    ENVOY: "1 to 8 digits, milliseconds",
}
NAMES = frozenset(name.encode() for name in ALLOWED)

SECONDS = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}
MILLISECONDS = SECONDS[b"m"]

_of_grpc = re.compile(rb"([0-9]{1,8})([HMSmun])").fullmatch
_of_envoy = re.compile(rb"[0-9]{1,8}").fullmatch


def caller_of(request: Request, began: float) -> Caller:
    """began: when the request did, of `time.perf_counter`. Raises Problem 400 where a header is not as it should be."""
    caller: Caller = request.scope.get(CALLER, PATIENT)
    said = [seconds(name.decode(), value) for name, value in request.scope["headers"] if name in NAMES]
    return Hurried(caller, began + min(said)) if said else caller


def seconds(name: str, value: bytes) -> float:
    if name == GRPC and (timeout := _of_grpc(value)):
        return int(timeout[1]) * SECONDS[timeout[2]]
    if name == ENVOY and _of_envoy(value):
        return int(value) * MILLISECONDS
    detail = f"{name} is {value[:40].decode('latin-1')!r}; allowed: {ALLOWED[name]}"
    raise Problem(HTTPStatus.BAD_REQUEST, detail)


def nobody_waits(caller: Caller) -> Problem:
    """What becomes of its request; nobody reads that unless it is late."""
    if caller.has_gone():
        return Problem(HTTPStatus.BAD_REQUEST, "the client closed the connection before its answer")
    return Problem(HTTPStatus.GATEWAY_TIMEOUT, "no answer within the time that the request gives for it")
