"""A metric and its series, as numbers in a row of the board."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric


class Family:
    """A metric with a series for each of `series`, the values of its `labels`.

    A histogram, where it has `bounds`: of each series the counts by bucket, beyond the last bound, and the sum. A
    counter shows all its series from the start, as a rate needs a zero to begin at; where these are very many, only
    those of `expected` and what has happened.
    """

    def __init__(
        self,
        name: str,
        about: str,
        labels: Sequence[str],
        series: Iterable[tuple[str, ...]],
        bounds: Sequence[float] = (),
        expected: Iterable[tuple[str, ...]] | None = None,
    ) -> None:
        self.name = name
        self.about = about
        self.labels = labels
        self.series = list(series)
        self.bounds = bounds
        self.width = len(bounds) + 2 if bounds else 1
        self.columns = self.width * len(self.series)
        self._shown = set(self.series if expected is None else expected)

    def read(self, numbers: NDArray[np.float64]) -> Metric:
        """numbers: float64 [columns]."""
        return self._histogram(numbers) if self.bounds else self._counter(numbers)

    def _counter(self, numbers: NDArray[np.float64]) -> Metric:
        counter = CounterMetricFamily(self.name, self.about, labels=self.labels)
        for values, number in zip(self.series, numbers.tolist(), strict=True):
            if number or values in self._shown:
                counter.add_metric(values, number)
        return counter

    def _histogram(self, numbers: NDArray[np.float64]) -> Metric:
        histogram = HistogramMetricFamily(self.name, self.about, labels=self.labels)
        bounds = [*map(str, map(float, self.bounds)), "+Inf"]
        for values, row in zip(self.series, numbers.reshape(-1, self.width), strict=True):
            buckets = list(zip(bounds, row[:-1].cumsum().tolist(), strict=True))
            histogram.add_metric(values, buckets, sum_value=float(row[-1]))
        return histogram
