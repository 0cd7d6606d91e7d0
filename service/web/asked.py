"""What a request asks for beside its pictures: in its address, in fields of its form, or in its JSON."""

from collections.abc import Collection, Mapping, Sequence
from http import HTTPStatus
from typing import NamedTuple

from starlette.requests import Request

from service.web.problem import Problem

OPTIONS = ("model", "explain")
EXPLAIN = {"0": False, "1": True, "false": False, "true": True}

# Bytes of the part of an address behind the question mark.
QUERY_BYTES = 1024


class Asked(NamedTuple):
    model: str
    explain: bool


def options_of(request: Request, allowed: Sequence[str] = OPTIONS) -> Mapping[str, str]:
    """Of the address, as they stand there. Raises Problem where there are others than `allowed`, or too many."""
    query = request.scope["query_string"]
    if not query:
        return {}
    if len(query) > QUERY_BYTES:
        detail = f"the query has {len(query):,} characters; the limit is {QUERY_BYTES:,}"
        raise Problem(HTTPStatus.REQUEST_URI_TOO_LONG, detail)
    if unknown := set(request.query_params) - set(allowed):
        detail = f"parameter {min(unknown)[:40]!r} is unknown; allowed: {', '.join(allowed)}"
        raise Problem(HTTPStatus.BAD_REQUEST, detail)
    return request.query_params


def joined(one: Mapping[str, str], other: Mapping[str, str]) -> Mapping[str, str]:
    """Raises Problem where both name an option and differ."""
    for name in one.keys() & other.keys():
        if meant(name, one[name]) != meant(name, other[name]):
            detail = f"{name} is asked for as {one[name][:40]!r} and as {other[name][:40]!r}; ask for one"
            raise Problem(HTTPStatus.BAD_REQUEST, detail)
    return {**one, **other}


def meant(name: str, value: str) -> str | bool:
    return EXPLAIN.get(value.lower(), value) if name == "explain" else value


def choose(options: Mapping[str, str], models: Collection[str], default_model: str) -> Asked:
    """Raises Problem where a value is none that is allowed."""
    if not options:
        return Asked(default_model, explain=False)
    model = options.get("model", default_model)
    if model not in models:
        detail = f"model {model[:40]!r} is unknown; allowed: {', '.join(sorted(models))}"
        raise Problem(HTTPStatus.BAD_REQUEST, detail)
    explain = options.get("explain", "0")
    if explain.lower() not in EXPLAIN:
        raise Problem(HTTPStatus.BAD_REQUEST, f"explain is {explain[:40]!r}; allowed: {', '.join(EXPLAIN)}")
    return Asked(model, EXPLAIN[explain.lower()])
