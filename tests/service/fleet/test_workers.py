"""How many workers and threads there are, where nobody says."""

import pytest

from service.fleet import workers
from service.settings import Settings


@pytest.mark.parametrize(
    ("settings", "cuda", "count", "threads"),
    [
        ({}, False, 8, 1),
        ({}, True, 1, 8),
        ({"provider": "cpu"}, True, 8, 1),
        ({"precision": "int8"}, True, 8, 1),
        ({"workers": 2}, False, 2, 4),
        ({"workers": 3}, True, 3, 2),
        ({"workers": 20}, False, 20, 1),
        ({"workers": 2, "threads": 7}, False, 2, 7),
    ],
)
def test_the_workers_share_out_the_cores(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, object], cuda: bool, count: int, threads: int
) -> None:
    monkeypatch.setattr(workers, "cores", lambda: 8)
    monkeypatch.setattr(workers, "can_use_cuda", lambda: cuda)
    made = Settings.model_validate(settings)
    assert workers.count(made) == count
    assert workers.threads(made) == threads


def test_cores_are_those_that_this_process_may_use() -> None:
    assert 1 <= workers.cores() <= 1024
