"""Prometheus metrics, of this worker: there is one."""

import os
from dataclasses import asdict

# BentoML has all servers of a user write to one folder, which each empties as it starts: a second server would erase
# the counts of the first. prometheus_client reads this as it is imported.
os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)

from prometheus_client import CONTENT_TYPE_LATEST, Counter, Histogram, generate_latest

from service.latency import Latency

SECONDS = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)

REQUESTS = Counter("numeral_requests", "HTTP requests answered", ["path", "status"])
REQUEST_SECONDS = Histogram("numeral_request_seconds", "From request to answer", ["path"], buckets=SECONDS)
IMAGES = Counter("numeral_images", "Images by outcome: accepted, refused or error", ["model", "outcome"])
STAGE_SECONDS = Histogram("numeral_stage_seconds", "Where an image's time went", ["model", "stage"], buckets=SECONDS)
BATCH_IMAGES = Histogram("numeral_batch_images", "Images in one run of a network", ["model"], buckets=SIZES)


def observe_stages(model: str, latency: Latency) -> None:
    for stage, milliseconds in asdict(latency).items():
        STAGE_SECONDS.labels(model, stage).observe(milliseconds / 1000)


def exposition() -> tuple[bytes, str]:
    """The metrics, and their media type."""
    return generate_latest(), CONTENT_TYPE_LATEST
