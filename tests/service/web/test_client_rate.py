"""A client may ask so often, a few times at once, and those who are remembered are bounded."""

import pytest

from service.web import client_rate
from service.web.client_rate import ClientRate, subscriber


class Clock:
    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(client_rate, "time", clock)
    return clock


def admitted(rate: ClientRate, client: str, asked: int) -> int:
    return sum(rate.wait(client) == 0 for _ in range(asked))


def test_as_many_at_once_as_a_second_holds_then_at_that_pace(clock: Clock) -> None:
    rate = ClientRate(5)
    assert admitted(rate, "a", 20) == 5
    assert rate.wait("a") == pytest.approx(0.2, abs=1e-3)
    assert admitted(rate, "b", 1) == 1
    clock.now += 0.41
    assert admitted(rate, "a", 20) == 2
    clock.now += 100
    assert admitted(rate, "a", 20) == 5


def test_less_than_one_a_second(clock: Clock) -> None:
    rate = ClientRate(0.1)
    assert admitted(rate, "a", 5) == 1
    assert rate.wait("a") == pytest.approx(10)
    clock.now += 10.01
    assert admitted(rate, "a", 5) == 1


def test_however_small_the_rate_there_is_an_end_to_waiting(clock: Clock) -> None:
    rate = ClientRate(1e-310)
    assert admitted(rate, "a", 2) == 1
    assert rate.wait("a") == pytest.approx(3600)


def test_those_that_are_remembered_are_bounded(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_rate, "MOST_CLIENTS", 100)
    rate = ClientRate(1)
    for number in range(1000):
        assert rate.wait(str(number)) == 0
    assert len(rate._due) == 100
    assert rate.wait("999") > 0


def test_addresses_of_one_subscriber_are_one_client() -> None:
    assert subscriber("192.0.2.1") != subscriber("192.0.2.2")
    assert subscriber("2001:db8:1:2::1") == subscriber("2001:db8:1:2:ffff::9") != subscriber("2001:db8:1:3::1")
    assert subscriber("::ffff:192.0.2.1") == "192.0.2.1"
    assert subscriber("::ffff:c000:202") == "192.0.2.2"
    assert subscriber("") == ""
    assert len(subscriber("x" * 10_000)) == 64
