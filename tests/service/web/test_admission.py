"""Work taken in is bounded: all images of a request or none, and what is done makes room again."""

import pytest

from service.web.admission import Admission
from service.web.problem import Problem


def test_what_does_not_fit_is_refused_with_retry_after() -> None:
    admission = Admission(10, "images")
    with admission.admit(8):
        with pytest.raises(Problem, match="8 images are in work and 3 more would pass the limit of 10") as raised:
            admission.admit(3).__enter__()
        assert raised.value.status == 429
        assert raised.value.headers == {"Retry-After": "1"}
        with admission.admit(2):
            assert admission.admitted == 10
    assert admission.admitted == 0


def test_failed_work_makes_room_too() -> None:
    admission = Admission(1, "images")
    with pytest.raises(ValueError, match="broken"), admission.admit(1):
        raise ValueError("broken")
    assert admission.admitted == 0
