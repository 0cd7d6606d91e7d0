"""Prometheus metrics, of all workers of this server."""

import os
from functools import cache

from service.fleet import workers

# BentoML has all servers of a user write to one folder, which each empties as it starts: a second server would erase
# the counts of the first. prometheus_client reads this as it is imported.
if FOLDER := workers.shared_folder():
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(FOLDER)
else:
    os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from service.fleet.latency import SECONDS, Window

SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)

REQUESTS = Counter("numeral_requests", "HTTP requests answered", ["path", "status"])
REQUEST_SECONDS = Histogram("numeral_request_seconds", "From request to answer", ["path"], buckets=SECONDS)
IMAGES = Counter("numeral_images", "Images by outcome: accepted, refused or error", ["model", "outcome"])
BATCH_IMAGES = Histogram("numeral_batch_images", "Images in one run of a network", ["model"], buckets=SIZES)


# Finding a metric by its labels takes longer than counting, so each is looked up once.
@cache
def images(model: str, outcome: str) -> Counter:
    return IMAGES.labels(model, outcome)


@cache
def requests(path: str, status: int) -> Counter:
    return REQUESTS.labels(path, str(status))


@cache
def request_seconds(path: str) -> Histogram:
    return REQUEST_SECONDS.labels(path)


def exposition(window: Window) -> tuple[bytes, str]:
    """The metrics, and their media type."""
    counted = REGISTRY
    if FOLDER:
        counted = CollectorRegistry()
        MultiProcessCollector(counted, str(FOLDER))  # type: ignore[no-untyped-call]
    stages = CollectorRegistry()
    stages.register(window)
    return generate_latest(counted) + generate_latest(stages), CONTENT_TYPE_LATEST
