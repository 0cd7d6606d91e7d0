"""An id is taken over where it can do no harm, and is one's own else."""

import asyncio

import pytest

from service.web import request_id
from service.web.request_id import begin, trace_of

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize("sane", [b"x", b"4f1c-77", b"!" * 128, b'"<\\>', b"~"])
def test_a_sane_one_is_taken_over(sane: bytes) -> None:
    assert begin([(b"host", b"x"), (b"x-request-id", sane)]) == sane.decode()


@pytest.mark.parametrize(
    "odd", [b"", b"x" * 129, b"a b", b"a\r\nset-cookie: b", b"a\n", b"\x1b[2J", b"\x7f", "ü".encode(), b"\xff"]
)
def test_any_other_is_replaced(odd: bytes) -> None:
    made = begin([(b"x-request-id", odd)])
    assert made.isascii()
    assert made not in ("", odd.decode("latin-1"))


def test_those_that_are_made_differ() -> None:
    assert len({begin([]) for _ in range(1000)}) == 1000


def test_each_task_sees_its_own() -> None:
    async def one(name: bytes) -> str:
        begin([(b"x-request-id", name)])
        await asyncio.sleep(0)
        return request_id.current.get()

    async def all_of_them() -> list[str]:
        return await asyncio.gather(*map(one, (b"a", b"b", b"c")))

    assert asyncio.run(all_of_them()) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("header", "trace"),
    [
        (f"00-{TRACE}-00f067aa0ba902b7-01", TRACE),
        (f"cc-{TRACE}-00f067aa0ba902b7-01-what-a-later-version-adds", TRACE),
        (f"ff-{TRACE}-00f067aa0ba902b7-01", None),
        (f"00-{'0' * 32}-00f067aa0ba902b7-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (f"00-{TRACE.upper()}-00f067aa0ba902b7-01", None),
        (f"00-{TRACE}", None),
        ("", None),
    ],
)
def test_the_trace_is_that_of_a_valid_traceparent(header: str, trace: str | None) -> None:
    assert trace_of([(b"traceparent", header.encode())]) == trace
