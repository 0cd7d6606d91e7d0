"""deploy/compose.yaml covers what the settings allow. No engine is needed: `make test` asks this too."""

from service.fleet import preparers
from service.settings import Settings
from tests.container import compose

# Bytes, as `test_memory_at_rest` finds them or less.
WORKER = 265_000_000
PREPARER = 45_000_000
SUPERVISOR_AND_MODELS = 125_000_000

SETTINGS = Settings()


def test_every_line_is_one_that_the_container_is_tried_with() -> None:
    flags = compose.options(3001)
    assert {"--read-only=true", "--cap-drop=ALL", "--publish=127.0.0.1:3001:3000"} < set(flags)


def test_a_request_that_has_begun_may_take_as_long_as_it_would_else() -> None:
    assert compose.grace_seconds() * 1000 > SETTINGS.read_timeout_ms + SETTINGS.deadline_ms


def most_bytes(workers: int, preparers_in_all: int) -> int:
    """Of all processes, each with as much in work as it may have."""
    picture = preparers.BYTES_BESIDE + preparers.BYTES_A_PIXEL * SETTINGS.max_pixels
    worker = WORKER + SETTINGS.max_upload_bytes
    return workers * worker + preparers_in_all * (PREPARER + picture) + SUPERVISOR_AND_MODELS


def test_the_memory_is_enough_for_all_that_may_be_in_work_at_once() -> None:
    cpus = compose.SERVICE["cpus"]
    assert compose.memory_bytes() > most_bytes(cpus, cpus)
