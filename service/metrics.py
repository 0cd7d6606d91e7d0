"""Prometheus metrics, of all workers of this server."""

import os
from collections.abc import Callable
from functools import cache

from service import workers

# BentoML has all servers of a user write to one folder, which each empties as it starts: a second server would erase
# the counts of the first. prometheus_client reads this as it is imported.
if FOLDER := workers.shared_folder():
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(FOLDER)
else:
    os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from service.latency import STAGES, Latency

SECONDS = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)

REQUESTS = Counter("numeral_requests", "HTTP requests answered", ["path", "status"])
REQUEST_SECONDS = Histogram("numeral_request_seconds", "From request to answer", ["path"], buckets=SECONDS)
IMAGES = Counter("numeral_images", "Images by outcome: accepted, refused or error", ["model", "outcome"])
STAGE_SECONDS = Histogram("numeral_stage_seconds", "Where an image's time went", ["model", "stage"], buckets=SECONDS)
BATCH_IMAGES = Histogram("numeral_batch_images", "Images in one run of a network", ["model"], buckets=SIZES)


@cache
def stage_observers(model: str) -> tuple[Callable[[float], None], ...]:
    """Looked up once: finding a metric by its labels takes longer than counting."""
    return tuple(STAGE_SECONDS.labels(model, stage).observe for stage in STAGES)


def observe_stages(model: str, latency: Latency) -> None:
    for observe, milliseconds in zip(stage_observers(model), latency, strict=True):
        observe(milliseconds / 1000)


@cache
def images(model: str, outcome: str) -> Counter:
    return IMAGES.labels(model, outcome)


@cache
def requests(path: str, status: int) -> Counter:
    return REQUESTS.labels(path, str(status))


@cache
def request_seconds(path: str) -> Histogram:
    return REQUEST_SECONDS.labels(path)


def exposition() -> tuple[bytes, str]:
    """The metrics, and their media type."""
    if not FOLDER:
        return generate_latest(), CONTENT_TYPE_LATEST
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(FOLDER))  # type: ignore[no-untyped-call]
    return generate_latest(registry), CONTENT_TYPE_LATEST
