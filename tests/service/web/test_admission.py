"""What is taken in is bounded: all of it or nothing, and what is done makes room again."""

import contextlib

import pytest

from service.web.admission import Admission
from service.web.problem import Problem


def test_what_does_not_fit_is_refused_with_retry_after() -> None:
    admission = Admission(10, "images", "NUMERAL_X")
    with admission.hold() as first, admission.hold() as second:
        first.add(8)
        with pytest.raises(Problem, match="8 images are in work and 3 more would pass the limit of 10") as raised:
            second.add(3)
        assert raised.value.status == 429
        assert raised.value.headers == {"Retry-After": "1"}
        second.add(2)
        assert admission.admitted == 10
    assert admission.admitted == 0


def test_it_grows_by_what_has_arrived_and_no_more() -> None:
    admission = Admission(10, "bytes", "NUMERAL_X")
    with admission.hold() as held:
        for arrived in range(1, 11):
            held.add(1)
            assert admission.admitted == arrived
        with pytest.raises(Problem):
            held.add(1)
        assert admission.admitted == 10


def test_failed_work_makes_room_too() -> None:
    admission = Admission(1, "images", "NUMERAL_X")
    with contextlib.suppress(ValueError), admission.hold() as held:
        held.add(1)
        raise ValueError("broken")
    assert admission.admitted == 0


def test_each_change_is_told() -> None:
    told: list[int] = []
    admission = Admission(10, "images", "NUMERAL_X", told.append)
    with admission.hold() as held:
        held.add(4)
        held.add(2)
    assert told == [4, 6, 0]
