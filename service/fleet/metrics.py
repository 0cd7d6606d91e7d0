"""What the workers of a server count, on the board, for Prometheus.

prometheus_client's own way to share counts between processes does far more for each increment, keeps them in a folder
that BentoML gives to all servers of a user, and reads a variable of the environment as it is imported.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from itertools import accumulate, product
from typing import NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray
from prometheus_client.core import Metric

from service.fleet.board import Board
from service.fleet.caller import Step
from service.fleet.family import Family
from service.fleet.latency import STAGES, Latency

# Upper bounds of the histograms' buckets: seconds, images, and probabilities.
SECONDS = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
CONFIDENCES = (0.2, 0.4, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999, 1.0)

# The last of a histogram's columns.
SUM_OF_SECONDS = len(SECONDS) + 1
SUM_OF_CONFIDENCES = len(CONFIDENCES) + 1

# Any other path is counted as `other`: labels that a client can choose would grow without end.
PATHS = (
    "/",
    "/classify",
    "/feedback",
    "/models",
    "/stats",
    "/metrics",
    "/livez",
    "/healthz",
    "/readyz",
    "/docs.json",
    "/schema.json",
    "/docs",
    "/v2",
    "/v2/health/live",
    "/v2/health/ready",
    "/v2/repository/index",
    "/v2/repository/models/{model}/load",
    "/v2/repository/models/{model}/unload",
    "/v2/models/{model}",
    "/v2/models/{model}/ready",
    "/v2/models/{model}/config",
    "/v2/models/{model}/infer",
)

# The model and the version that a path names are left out of its label.
OF_MODEL = re.compile(r"/v2/models/[^/]+(?:/versions/[^/]+)?(/ready|/config|/infer|)")
IN_REPOSITORY = re.compile(r"/v2/repository/models/[^/]+(/load|/unload)")

OTHER = "other"

STATUSES = tuple(str(status.value) for status in HTTPStatus)

# Of `/classify`: what is to be seen from the start, so that the first failure is a rise.
EXPECTED = tuple(("/classify", status) for status in ("200", "429", "500", "503", "504"))

OUTCOMES = ("accepted", "refused", "error")

# The words that an answer's `reason` begins with.
REASONS = ("blank", "too faint", "too narrow", "several digits", "not a digit", "too small", "unsure")

# What a request is turned away for, with 429.
REJECTIONS = ("upload_bytes", "images", "large_images", "client_rate")

# How a process that prepares pictures ended: killed at its request's deadline, for want of memory, or by itself.
ENDS = ("deadline", "memory", "died")

# Which step was not taken for images that nobody waited for any more.
STEPS = get_args(Step)

# Why a line of the access log was not written: it would have waited behind too many others, or could not be.
DROPS = ("full", "failed")

# By the name of each model, the labels of its answers.
Models = Mapping[str, Sequence[str]]


def families(models: Models) -> dict[str, Family]:
    """models: those that are served, the same in all workers."""
    paths = (*PATHS, OTHER)
    model, by_model = ("model",), [(name,) for name in models]
    answers = [(name, label) for name, labels in models.items() for label in labels]
    known = [
        Family("numeral_requests", "HTTP requests", ("path", "status"), product(paths, STATUSES), expected=EXPECTED),
        Family("numeral_request_seconds", "From request to answer", ("path",), product(paths), SECONDS),
        Family("numeral_broken_requests", "What is no HTTP", ("status",), product(STATUSES), expected=()),
        Family("numeral_rejections", "Requests answered 429, by what was full", ("cause",), product(REJECTIONS)),
        Family("numeral_model_requests", "Requests", ("model", "outcome"), product(models, ("success", "failure"))),
        Family("numeral_model_request_seconds", "From request to answer, of those that succeeded", model, by_model),
        Family("numeral_images", "Images by outcome", ("model", "outcome"), product(models, OUTCOMES)),
        Family("numeral_answers", "Images that were accepted, by what was read", ("model", "label"), answers),
        Family("numeral_refusals", "Images that were refused", ("model", "reason"), product(models, (*REASONS, OTHER))),
        Family("numeral_confidence_ratio", "Of images that the network saw", model, by_model, CONFIDENCES),
        Family("numeral_batch_images", "Images in one run of a network", model, by_model, SIZES),
        Family("numeral_stage_seconds", "An image's time", ("model", "stage"), product(models, STAGES), SECONDS),
        Family("numeral_answer_seconds", "From probabilities to an answer", model, by_model),
        Family("numeral_dropped_images", "Images that nobody waited for", ("before",), product(STEPS)),
        Family("numeral_preparer_ends", "Processes for pictures that were replaced", ("cause",), product(ENDS)),
        Family("numeral_access_log_dropped", "Lines of the access log not written", ("cause",), product(DROPS)),
    ]
    return {family.name: family for family in known}


def label_of(path: str) -> str:
    """One of `PATHS`, or `OTHER`."""
    if path in PATHS:
        return path
    if match := OF_MODEL.fullmatch(path):
        return f"/v2/models/{{model}}{match[1]}"
    if match := IN_REPOSITORY.fullmatch(path):
        return f"/v2/repository/models/{{model}}{match[1]}"
    return OTHER


def columns(models: Models) -> int:
    """Numbers that the metrics need on the board."""
    return sum(family.columns for family in families(models).values())


class OfModel(NamedTuple):
    """Where the series of one model begin, by the other label where there is one: found at the start, not for each
    image."""

    requests: dict[str, int]
    request_seconds: int
    images: dict[str, int]
    answers: dict[str, int]
    refusals: dict[str, int]
    confidence: int
    batch_images: int
    stages: list[int]
    answer_seconds: int


class Metrics:
    """In the columns of `board` from `first` on. Counted by the event loop alone, but for one series of the log's."""

    def __init__(self, models: Models, board: Board, first: int) -> None:
        self._board = board
        self._numbers = board.own
        self._families = families(models)
        begins = accumulate((family.columns for family in self._families.values()), initial=first)
        self._firsts = dict(zip(self._families, begins, strict=False))
        self._paths = {
            path: (self._places("numeral_request_seconds")[path], by_status)
            for path, by_status in self._places_by_two("numeral_requests").items()
        }
        self._models = {model: self._of_model(model) for model in models}

    def _of_model(self, model: str) -> OfModel:
        return OfModel(
            requests=self._places_by_two("numeral_model_requests")[model],
            request_seconds=self._places("numeral_model_request_seconds")[model],
            images=self._places_by_two("numeral_images")[model],
            answers=self._places_by_two("numeral_answers")[model],
            refusals=self._places_by_two("numeral_refusals")[model],
            confidence=self._places("numeral_confidence_ratio")[model],
            batch_images=self._places("numeral_batch_images")[model],
            stages=list(self._places_by_two("numeral_stage_seconds")[model].values()),
            answer_seconds=self._places("numeral_answer_seconds")[model],
        )

    def _places(self, name: str) -> dict[str, int]:
        """The first column of each series, of a metric with one label."""
        family = self._families[name]
        return {value: self._firsts[name] + family.width * place for place, (value,) in enumerate(family.series)}

    def _places_by_two(self, name: str) -> dict[str, dict[str, int]]:
        """The same of one with two labels, by the first and then the other."""
        family = self._families[name]
        places: dict[str, dict[str, int]] = {}
        for place, (one, other) in enumerate(family.series):
            places.setdefault(one, {})[other] = self._firsts[name] + family.width * place
        return places

    def answered(self, path: str, status: int, seconds: float) -> None:
        place, by_status = self._paths.get(path) or self._paths[label_of(path)]
        self._numbers[by_status[str(status)]] += 1
        self._observe(place, SECONDS, seconds)

    def ran_request(self, model: str, *, success: bool, seconds: float) -> None:
        """One that named a model, as each does that asks for none."""
        places = self._models[model]
        self._numbers[places.requests["success" if success else "failure"]] += 1
        if success:
            self._numbers[places.request_seconds] += seconds

    def read_image(self, model: str, outcome: str) -> None:
        """outcome: one of `OUTCOMES`."""
        self._numbers[self._models[model].images[outcome]] += 1

    def accepted(self, model: str, label: str) -> None:
        self._numbers[self._models[model].answers[label]] += 1

    def refused(self, model: str, reason: str) -> None:
        """reason: of the answer, that begins with its word."""
        word = reason.partition(":")[0]
        self._numbers[self._models[model].refusals[word if word in REASONS else OTHER]] += 1

    def was_sure(self, model: str, confidence: float) -> None:
        place = self._models[model].confidence
        self._numbers[place + bisect_left(CONFIDENCES, confidence)] += 1
        self._numbers[place + SUM_OF_CONFIDENCES] += confidence

    def ran_batch(self, model: str, images: int) -> None:
        self._observe(self._models[model].batch_images, SIZES, images)

    def took(self, model: str, latency: Latency, answering: float = 0) -> None:
        """answering: seconds from when the network was done to the answer."""
        numbers, places = self._numbers, self._models[model]
        for place, milliseconds in zip(places.stages, latency, strict=True):
            # As `_observe`, whose call takes as long as what it does.
            seconds = milliseconds / 1000
            numbers[place + bisect_left(SECONDS, seconds)] += 1
            numbers[place + SUM_OF_SECONDS] += seconds
        numbers[places.answer_seconds] += answering

    def count(self, name: str, value: str, more: int = 1) -> None:
        """Of what is rare. name: of a counter with a single label; value: one that it may have."""
        family = self._families[name]
        self._numbers[self._firsts[name] + family.series.index((value,))] += more

    def _observe(self, place: int, bounds: Sequence[float], value: float) -> None:
        self._numbers[place + bisect_left(bounds, value)] += 1
        self._numbers[place + len(bounds) + 1] += value

    def total(self, name: str) -> NDArray[np.float64]:
        """float64 [columns of the family], of all workers."""
        whole: NDArray[np.float64] = self._board.columns(self._firsts[name], self._families[name].columns).sum(axis=0)
        return whole

    def by_series(self, name: str) -> dict[tuple[str, ...], NDArray[np.float64]]:
        """The numbers of each series: float64 [1], or [buckets and their sum]."""
        family = self._families[name]
        return dict(zip(family.series, self.total(name).reshape(-1, family.width), strict=True))

    def collect(self) -> Iterator[Metric]:
        """Of all workers, as a registry of prometheus_client asks."""
        for name, family in self._families.items():
            yield family.read(self.total(name))
