"""The text that `/metrics` answers: what is counted, how the workers are, and what is served."""

import platform
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

from service.fleet.board import Board
from service.fleet.gauges import Gauges
from service.fleet.metrics import Metrics
from service.fleet.triton import TritonNames
from service.model.engine import Engine
from service.settings import Settings
from service.version import VERSION
from service.web.client_rate import ClientRate

MEDIA_TYPE = CONTENT_TYPE_LATEST

# How often a second the text is made, whoever asks: it takes the event loop some milliseconds.
FRESH_PER_SECOND = 10


class Exposition:
    """Of all workers, whichever is asked."""

    def __init__(
        self, settings: Settings, engines: Callable[[], Mapping[str, Engine]], board: Board, metrics: Metrics
    ) -> None:
        self._registry = CollectorRegistry()
        for collector in (metrics, TritonNames(metrics), Gauges(board, settings), Served(settings, engines)):
            self._registry.register(collector)
        self._rate = ClientRate(FRESH_PER_SECOND)
        self._text = b""

    def text(self) -> bytes:
        """Made anew, unless it was `FRESH_PER_SECOND` times within the last second."""
        if not self._rate.wait("metrics"):
            self._text = generate_latest(self._registry)
        return self._text


class Served:
    """What this is, as labels of a number that is always 1."""

    def __init__(self, settings: Settings, engines: Callable[[], Mapping[str, Engine]]) -> None:
        self._settings = settings
        self._engines = engines
        self._build = build()

    def collect(self) -> Iterator[Metric]:
        yield self._build
        yield models(self._settings, self._engines())


def build() -> Metric:
    labels = {"version": VERSION, "python": platform.python_version(), "bentoml": version("bentoml")}
    metric = GaugeMetricFamily("numeral_build_info", "What runs here", labels=list(labels))
    metric.add_metric(list(labels.values()), 1)
    return metric


def models(settings: Settings, engines: Mapping[str, Engine]) -> Metric:
    names = ("model", "network", "precision", "sha256", "provider", "default")
    metric = GaugeMetricFamily("numeral_model_info", "The models that are served", labels=names)
    for name, engine in engines.items():
        artefact = engine.artefact
        default = str(name == settings.default_model).lower()
        metric.add_metric([name, artefact.network, artefact.precision, artefact.sha256, engine.provider, default], 1)
    return metric
