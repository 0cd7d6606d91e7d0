"""How long a client waits is read where it says so, and told where it says it wrongly."""

import time

import pytest
from starlette.requests import Request

from service.fleet.caller import Caller
from service.web.patience import CALLER, caller_of, nobody_waits, seconds
from service.web.problem import Problem


def asked(caller: Caller, *headers: tuple[bytes, bytes]) -> Request:
    return Request({"type": "http", "headers": list(headers), CALLER: caller})


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("grpc-timeout", b"250m", 0.25),
        ("grpc-timeout", b"1S", 1),
        ("grpc-timeout", b"2M", 120),
        ("grpc-timeout", b"1H", 3600),
        ("grpc-timeout", b"500u", 0.0005),
        ("grpc-timeout", b"00000007n", 7e-9),
        ("x-envoy-expected-rq-timeout-ms", b"15000", 15),
        ("x-envoy-expected-rq-timeout-ms", b"0", 0),
    ],
)
def test_both_ways_to_say_it_are_read(name: str, value: bytes, expected: float) -> None:
    assert seconds(name, value) == pytest.approx(expected)


@pytest.mark.parametrize(
    "value", [b"", b"250", b"m", b"-1m", b"1.5S", b"1s", b"123456789m", b"1m ", b"1mm", b"\xb2m", "١m".encode()]
)
def test_any_other_value_is_a_problem_that_names_what_is_allowed(value: bytes) -> None:
    with pytest.raises(Problem, match=r"grpc-timeout is .*; allowed: 1 to 8 digits and a unit") as raised:
        caller_of(asked(Caller(), (b"grpc-timeout", value)), 0)
    assert raised.value.status == 400
    with pytest.raises(Problem, match="allowed: 1 to 8 digits, milliseconds"):
        seconds("x-envoy-expected-rq-timeout-ms", value if value != b"250" else b"123456789")


def test_who_says_nothing_waits_as_long_as_the_connection_lasts() -> None:
    caller = Caller()
    found = caller_of(asked(caller, (b"host", b"x")), 0)
    assert found is caller
    assert found.waits()
    assert found.seconds_left() is None
    caller.left = True
    assert not found.waits()


def test_the_shorter_of_two_counts_and_so_does_the_connection() -> None:
    caller, now = Caller(), time.perf_counter()
    both = (b"grpc-timeout", b"1H"), (b"x-envoy-expected-rq-timeout-ms", b"60000")
    for headers in (both, reversed(both)):
        found = caller_of(asked(caller, *headers), now)
        left = found.seconds_left()
        assert left is not None
        assert 0 < left <= 60
        assert found.waits()
    caller.left = True
    assert not found.waits()
    assert nobody_waits(found).status == 400


def test_the_time_for_the_upload_is_of_the_same() -> None:
    found = caller_of(asked(Caller(), (b"grpc-timeout", b"100m")), time.perf_counter() - 1)
    assert not found.waits()
    assert nobody_waits(found).status == 504


def test_who_is_told_a_moment_early_is_late_and_has_not_gone() -> None:
    """Timers of the loop are of whole milliseconds."""
    found = caller_of(asked(Caller(), (b"grpc-timeout", b"1S")), time.perf_counter())
    assert found.waits()
    assert nobody_waits(found).status == 504
