"""The figures of a load, and medians of several."""

import json
import statistics
from collections.abc import Sequence

# Of one load: requests_per_second, p50_ms and so on, by name.
Figures = dict[str, float]


def of_wrk(output: str) -> Figures:
    """What `load.lua` prints as the last line, behind wrk's own report."""
    figures: Figures = json.loads(output.splitlines()[-1])
    return figures


def median(each: Sequence[Figures], digits: int) -> Figures:
    """By name, of the same load several times."""
    return {name: round(statistics.median(figures[name] for figures in each), digits) for name in each[0]}


def medians(rounds: Sequence[dict[str, Figures]], digits: int = 3) -> dict[str, Figures]:
    """By load, of all rounds."""
    return {load: median([figures[load] for figures in rounds], digits) for load in rounds[0]}
