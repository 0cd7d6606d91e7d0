"""A stage's time is without that of the stages it calls, and the photo is one that the service reads as its digit."""

import time

from benchmarks.photo import CANDIDATES, STAGES, WANTED, Stopwatch, photo
from service.picture.prepare import prepare


def test_a_stage_counts_what_it_does_itself() -> None:
    watch = Stopwatch()
    inner = watch.timed("inner", lambda: time.sleep(0.3))

    def slow() -> None:
        time.sleep(0.02)
        inner()

    watch.timed("outer", slow)()
    assert watch.seconds["inner"] >= 0.3
    assert 0.02 <= watch.seconds["outer"] < watch.seconds["inner"]


def test_each_stage_is_a_function_of_the_service() -> None:
    assert all(callable(getattr(module, name)) for module, name in STAGES.values())
    assert CANDIDATES not in STAGES


def test_the_photo_leaves_doubt_so_that_all_stages_run() -> None:
    prepared = prepare(photo(64), WANTED)
    assert prepared.pixels is not None
    assert len(prepared.pixels) == 2
