"""A stage's time is without that of the stages it calls, and the photo goes through all of them."""

import time

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.photo import STAGES, Stopwatch, photo, stages_of


def test_a_stage_counts_what_it_does_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    watch, clock = Stopwatch(), iter([0.0, 2.0, 7.0, 10.0])
    inner = watch.timed("inner", lambda: None)
    with monkeypatch.context() as patched:
        patched.setattr(time, "perf_counter", lambda: next(clock))
        watch.timed("outer", inner)()
    assert watch.seconds == {"outer": 5, "inner": 5}


def test_the_photo_goes_through_all_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Stopwatch()
    read: list[NDArray[np.uint8]] = []
    for stage, (module, name) in STAGES.items():
        monkeypatch.setattr(module, name, watch.timed(stage, getattr(module, name)))
    milliseconds = stages_of(photo(64), read.append, watch)
    assert all(milliseconds[stage] > 0 for stage in STAGES)
    (candidates,) = read
    assert candidates.shape == (2, 28, 28)
