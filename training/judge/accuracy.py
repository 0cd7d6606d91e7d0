"""A share of right answers, and how far it is to be believed."""

from dataclasses import dataclass

from scipy.stats import binomtest


@dataclass(frozen=True)
class Accuracy:
    """A share of right answers with its Wilson 95 % interval."""

    right: int
    count: int

    @property
    def share(self) -> float:
        return self.right / self.count

    @property
    def interval(self) -> tuple[float, float]:
        low, high = binomtest(self.right, self.count).proportion_ci(method="wilson")
        return float(low), float(high)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.share:.2%} ({self.right} of {self.count}; 95 % interval {low:.2%} to {high:.2%})"
