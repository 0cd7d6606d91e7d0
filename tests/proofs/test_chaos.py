"""Short forms of those scenarios of `make chaos` that no other test has."""

from collections.abc import Callable
from functools import partial

import pytest

from proofs.chaos import artefacts, crowds, disk, processes, renewal
from proofs.chaos.row import Row

SCENARIOS: dict[str, Callable[[], Row]] = {
    "process that decodes killed": partial(processes.killed_preparers, times=1),
    "models broken on disk": artefacts.replaced_on_disk,
    "models renewed": partial(renewal.renewed, times=2),
    "queue full": partial(crowds.full_queue, clients=40, rounds=2),
    "uploads cut": partial(crowds.cut_uploads, times=99),
    "disk full": disk.full_disk,
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_what_is_accepted_is_answered_and_all_is_as_before(name: str) -> None:
    row = SCENARIOS[name]()
    row.settle()
    assert row.failed == []
    assert row.counts.answered > 20


def test_what_is_not_as_promised_is_said() -> None:
    row = Row("x", lost_allowed=1)
    row.counts.lost, row.counts.wrong = 2, 1
    row.settle()
    assert row.failed == ["2 lost of 1 that may be", "1 wrong", "nothing was answered"]
