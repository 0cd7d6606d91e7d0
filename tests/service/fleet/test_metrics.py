"""What is counted is what Prometheus reads, of all workers together."""

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from service.fleet import metrics
from service.fleet.board import Board
from service.fleet.latency import Latency
from service.fleet.metrics import Metrics

MODELS = ["a", "b"]
FIRST = 4


def of_workers(path: Path, workers: int) -> list[Metrics]:
    width = FIRST + metrics.columns(MODELS)
    return [Metrics(MODELS, Board(width, path, workers, own), FIRST) for own in range(1, workers + 1)]


def samples(of: Metrics) -> dict[tuple[str, ...], float]:
    """By name and the values of the labels, the bound of a bucket last, as a Prometheus would read them."""
    text, media_type = of.exposition()
    assert media_type.startswith("text/plain")
    families = text_string_to_metric_families(text.decode())
    return {
        (
            s.name,
            *(value for _, value in sorted(s.labels.items(), key=lambda label: (label[0] == "le", label))),
        ): s.value
        for family in families
        for s in family.samples
    }


def test_counters_are_of_all_workers_and_leave_out_what_never_happened(tmp_path: Path) -> None:
    ours, theirs = of_workers(tmp_path / "board", 2)
    ours.answered("/classify", 200, 0.003)
    theirs.answered("/classify", 200, 0.003)
    theirs.answered("/made/up", 404, 0.003)
    theirs.read_images("b", "refused", 3)
    for each in (ours, theirs):
        counted = {key: value for key, value in samples(each).items() if key[0].endswith("_total")}
        assert counted == {
            ("numeral_requests_total", "/classify", "200"): 2,
            ("numeral_requests_total", "other", "404"): 1,
            ("numeral_images_total", "b", "refused"): 3,
        }


def test_histograms_count_by_bucket_and_sum_up(tmp_path: Path) -> None:
    ours, theirs = of_workers(tmp_path / "board", 2)
    ours.took("a", Latency(read=1, decode=2, normalise=3, queue=0.5, inference=4, total=11))
    theirs.took("a", Latency(read=1, decode=2, normalise=3, queue=0.5, inference=4, total=9))
    theirs.took("b", Latency(read=1, decode=2, normalise=3, queue=0.5, inference=4, total=10_000))
    read, name = samples(ours), "numeral_stage_seconds"
    assert read[f"{name}_count", "a", "total"] == 2
    assert read[f"{name}_sum", "a", "total"] == pytest.approx(0.02)
    assert read[f"{name}_bucket", "a", "total", "0.01"] == 1
    assert read[f"{name}_bucket", "a", "total", "0.02"] == 2
    assert read[f"{name}_bucket", "b", "total", "5.0"] == 0
    assert read[f"{name}_bucket", "b", "total", "+Inf"] == 1
    assert read[f"{name}_bucket", "a", "read", "0.001"] == 2  # a bound belongs to its bucket


def test_batches_are_counted_by_size(tmp_path: Path) -> None:
    (ours,) = of_workers(tmp_path / "board", 1)
    for size in (1, 3, 64):
        ours.ran_batch("a", size)
    read = samples(ours)
    assert (read["numeral_batch_images_count", "a"], read["numeral_batch_images_sum", "a"]) == (3, 68)
    assert read["numeral_batch_images_bucket", "a", "4.0"] == 2


def test_what_is_beside_the_metrics_on_the_board_is_left_alone(tmp_path: Path) -> None:
    board = Board(FIRST + metrics.columns(MODELS) + 2)
    counts = Metrics(MODELS, board, FIRST)
    counts.answered("/", 500, 100)
    counts.took("b", Latency(1, 1, 1, 1, 1, 1e9))
    assert [*board.own[:FIRST], *board.own[-2:]] == [0] * (FIRST + 2)
