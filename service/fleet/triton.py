"""The counts under the names that Triton Inference Server gives to its own, so that boards made for it show this one.

What each means there: NVIDIA's documentation of Triton, "Metrics". Nothing is counted for them: they are read from what
`service.fleet.metrics` has. Their names lack what Prometheus asks of a counter (`_total`), so that they have no type.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from prometheus_client.core import Metric

from service.fleet.metrics import Metrics

VERSION = "1"

MICROSECONDS = 1e6


class TritonNames:
    """As a registry of prometheus_client asks. A candidate counts as an inference, of which an image may have two."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        requests, images = self._of("numeral_model_requests"), self._of("numeral_batch_images")
        seconds, answering = self._of("numeral_model_request_seconds"), self._of("numeral_answer_seconds")
        stages = self._of("numeral_stage_seconds")

        def spent(*names: str) -> Callable[[str], float]:
            return lambda model: MICROSECONDS * sum(stages[model, name][-1] for name in names)

        models = [model for (model,) in images]
        for name, about, value in (
            ("request_success", "Requests that were answered", lambda m: requests[m, "success"][0]),
            ("request_failure", "Requests that were not", lambda m: requests[m, "failure"][0]),
            ("count", "Images that the network saw", lambda m: images[m,][-1]),
            ("exec_count", "Runs of the network", lambda m: images[m,][:-1].sum()),
            ("request_duration_us", "From request to answer", lambda m: MICROSECONDS * seconds[m,][0]),
            ("queue_duration_us", "Waiting", spent("queue")),
            ("compute_input_duration_us", "Decoding and normalising", spent("decode", "normalise")),
            ("compute_infer_duration_us", "In the network", spent("inference")),
            ("compute_output_duration_us", "From probabilities to answers", lambda m: MICROSECONDS * answering[m,][0]),
        ):
            yield named(f"nv_inference_{name}", about, {model: float(value(model)) for model in models})

    def _of(self, name: str) -> dict[tuple[str, ...], NDArray[np.float64]]:
        return self._metrics.by_series(name)


def named(name: str, about: str, values: dict[str, float]) -> Metric:
    metric = Metric(name, f"{about}, as Triton names it", "unknown")
    for model, value in values.items():
        metric.add_sample(name, {"model": model, "version": VERSION}, value)
    return metric
