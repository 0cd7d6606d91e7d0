"""Prometheus metrics of all workers of a server, counted on the board.

prometheus_client's own way to share counts between processes does far more for each increment, keeps them in a folder
that BentoML gives to all servers of a user, and reads a variable of the environment as it is imported.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from itertools import accumulate, product

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric

from service.fleet.board import Board
from service.fleet.latency import STAGES, Latency

# Upper bounds of the histograms' buckets: seconds, and images.
SECONDS = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)

# The last of a histogram's columns.
SUM_OF_SECONDS = len(SECONDS) + 1

# Any other path is counted as `other`: labels that a client can choose would grow without end.
PATHS = (
    "/",
    "/classify",
    "/models",
    "/stats",
    "/metrics",
    "/livez",
    "/healthz",
    "/readyz",
    "/docs.json",
    "/schema.json",
)
OTHER = "other"

STATUSES = tuple(str(status.value) for status in HTTPStatus)

OUTCOMES = ("accepted", "refused", "error")


class Family:
    """A metric with a series for each combination of what its labels may be.

    A histogram, where it has `bounds`: of each series the counts by bucket, beyond the last bound, and the sum.
    """

    def __init__(self, name: str, about: str, bounds: Sequence[float] = (), **labels: Sequence[str]) -> None:
        self.name = name
        self.about = about
        self.bounds = bounds
        self.labels = list(labels)
        self.width = len(bounds) + 2 if bounds else 1
        self.series = list(product(*labels.values()))
        self.columns = self.width * len(self.series)

    def read(self, numbers: NDArray[np.float64]) -> Metric:
        """numbers: float64 [columns]. A counter leaves out what never happened."""
        if not self.bounds:
            counter = CounterMetricFamily(self.name, self.about, labels=self.labels)
            for values, number in zip(self.series, numbers.tolist(), strict=True):
                if number:
                    counter.add_metric(values, number)
            return counter
        histogram = HistogramMetricFamily(self.name, self.about, labels=self.labels)
        bounds = [*map(str, map(float, self.bounds)), "+Inf"]
        for values, row in zip(self.series, numbers.reshape(-1, self.width), strict=True):
            buckets = list(zip(bounds, row[:-1].cumsum().tolist(), strict=True))
            histogram.add_metric(values, buckets, sum_value=float(row[-1]))
        return histogram


def families(models: Sequence[str]) -> dict[str, Family]:
    """models: the names of those that are served, the same in all workers."""
    paths = (*PATHS, OTHER)
    known = [
        Family("numeral_requests", "HTTP requests answered", path=paths, status=STATUSES),
        Family("numeral_request_seconds", "From request to answer", SECONDS, path=paths),
        Family("numeral_images", "Images by outcome", model=models, outcome=OUTCOMES),
        Family("numeral_batch_images", "Images in one run of a network", SIZES, model=models),
        Family("numeral_stage_seconds", "Where an image's time went", SECONDS, model=models, stage=STAGES),
    ]
    return {family.name: family for family in known}


def columns(models: Sequence[str]) -> int:
    """Numbers that the metrics need on the board."""
    return sum(family.columns for family in families(models).values())


class Metrics:
    """In the columns of `board` from `first` on. Counted by the event loop alone."""

    def __init__(self, models: Sequence[str], board: Board, first: int) -> None:
        self._board = board
        self._numbers = board.own
        self._families = families(models)
        begins = accumulate((family.columns for family in self._families.values()), initial=first)
        self._firsts = dict(zip(self._families, begins, strict=False))
        self._requests = self._places("numeral_requests")
        self._request_seconds = self._places("numeral_request_seconds")
        self._images = self._places("numeral_images")
        self._batch_images = self._places("numeral_batch_images")
        places = self._places("numeral_stage_seconds")
        self._stages = {model: [places[model, stage] for stage in STAGES] for model in models}

    def _places(self, name: str) -> dict[tuple[str, ...], int]:
        """The first column of each series."""
        family = self._families[name]
        return {values: self._firsts[name] + family.width * place for place, values in enumerate(family.series)}

    def answered(self, path: str, status: int, seconds: float) -> None:
        known = path if path in PATHS else OTHER
        self._numbers[self._requests[known, str(status)]] += 1
        self._observe(self._request_seconds[known,], SECONDS, seconds)

    def read_images(self, model: str, outcome: str, count: int) -> None:
        """outcome: one of `OUTCOMES`."""
        self._numbers[self._images[model, outcome]] += count

    def ran_batch(self, model: str, images: int) -> None:
        self._observe(self._batch_images[model,], SIZES, images)

    def took(self, model: str, latency: Latency) -> None:
        numbers = self._numbers
        for place, milliseconds in zip(self._stages[model], latency, strict=True):
            # As `_observe`, whose call takes as long as what it does.
            seconds = milliseconds / 1000
            numbers[place + bisect_left(SECONDS, seconds)] += 1
            numbers[place + SUM_OF_SECONDS] += seconds

    def _observe(self, place: int, bounds: Sequence[float], value: float) -> None:
        self._numbers[place + bisect_left(bounds, value)] += 1
        self._numbers[place + len(bounds) + 1] += value

    def collect(self) -> Iterator[Metric]:
        """Of all workers, as a registry of prometheus_client asks."""
        for name, family in self._families.items():
            yield family.read(self._board.columns(self._firsts[name], family.columns).sum(axis=0))

    def exposition(self) -> tuple[bytes, str]:
        """The metrics as text, and its media type."""
        registry = CollectorRegistry()
        registry.register(self)
        return generate_latest(registry), CONTENT_TYPE_LATEST
