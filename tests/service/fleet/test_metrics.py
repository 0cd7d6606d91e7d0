"""What is counted is what Prometheus reads, of all workers together."""

import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from service.fleet import metrics
from service.fleet.board import Board
from service.fleet.latency import Latency
from service.fleet.metrics import EXPECTED, REASONS, Metrics
from service.fleet.triton import TritonNames
from tests.harness import ROOT

MODELS = {"a": ["0", "1"], "b": ["cat"]}
FIRST = 4


def of_workers(path: Path, workers: int) -> list[Metrics]:
    width = FIRST + metrics.columns(MODELS)
    return [Metrics(MODELS, Board(width, path, workers, own), FIRST) for own in range(1, workers + 1)]


def samples(of: Metrics) -> dict[tuple[str, ...], float]:
    """By name and the values of the labels, the bound of a bucket last, as a Prometheus would read them."""
    registry = CollectorRegistry()
    registry.register(of)
    registry.register(TritonNames(of))
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {
        (
            s.name,
            *(value for _, value in sorted(s.labels.items(), key=lambda label: (label[0] == "le", label))),
        ): s.value
        for family in families
        for s in family.samples
    }


def test_counters_are_of_all_workers(tmp_path: Path) -> None:
    ours, theirs = of_workers(tmp_path / "board", 2)
    ours.answered("/classify", 200, 0.003)
    theirs.answered("/classify", 200, 0.003)
    theirs.answered("/made/up", 404, 0.003)
    for _ in range(3):
        theirs.read_image("b", "refused")
    for each in (ours, theirs):
        counted = {key: value for key, value in samples(each).items() if key[0].endswith("_total") and value}
        assert counted == {
            ("numeral_requests_total", "/classify", "200"): 2,
            ("numeral_requests_total", "other", "404"): 1,
            ("numeral_images_total", "b", "refused"): 3,
        }


def test_a_rate_has_a_zero_to_begin_at_and_what_never_happens_takes_no_room(tmp_path: Path) -> None:
    (ours,) = of_workers(tmp_path / "board", 1)
    never = samples(ours)
    assert {key[1:] for key in never if key[0] == "numeral_requests_total"} == set(EXPECTED)
    assert never["numeral_refusals_total", "b", "too faint"] == never["numeral_answers_total", "cat", "b"] == 0
    assert not [key for key in never if key[0] == "numeral_broken_requests_total"]


def test_what_was_read_and_why_not_by_model(tmp_path: Path) -> None:
    ours, theirs = of_workers(tmp_path / "board", 2)
    ours.accepted("a", "1")
    theirs.accepted("a", "1")
    ours.refused("b", "too faint: ink and paper are 8.0 grey levels apart")
    theirs.refused("b", "a reason that nobody has thought of")
    theirs.was_sure("a", 0.97)
    read = samples(theirs)
    assert read["numeral_answers_total", "1", "a"] == 2
    assert read["numeral_refusals_total", "b", "too faint"] == read["numeral_refusals_total", "b", "other"] == 1
    assert read["numeral_confidence_ratio_bucket", "a", "0.95"] == 0
    assert read["numeral_confidence_ratio_bucket", "a", "0.99"] == 1


def test_triton_s_names_say_the_same(tmp_path: Path) -> None:
    ours, theirs = of_workers(tmp_path / "board", 2)
    ours.took("a", Latency(read=1, decode=2, normalise=3, queue=0.5, inference=4, total=11), answering=0.25)
    ours.ran_batch("a", 3)
    theirs.ran_batch("a", 1)
    theirs.ran_request("a", success=True, seconds=0.5)
    theirs.ran_request("a", success=False, seconds=7)
    read = samples(ours)
    assert {key[0]: read[key] for key in read if key[0].startswith("nv_") and key[1] == "a"} == {
        "nv_inference_request_success": 1,
        "nv_inference_request_failure": 1,
        "nv_inference_count": 4,
        "nv_inference_exec_count": 2,
        "nv_inference_request_duration_us": 500_000,
        "nv_inference_queue_duration_us": 500,
        "nv_inference_compute_input_duration_us": pytest.approx(5_000),
        "nv_inference_compute_infer_duration_us": 4_000,
        "nv_inference_compute_output_duration_us": 250_000,
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


def test_every_reason_that_the_code_gives_is_one_that_is_counted() -> None:
    files = [*(ROOT / "service/picture").rglob("*.py"), ROOT / "service/model/verdict.py"]
    code = "".join(path.read_text() for path in files)
    given = set(re.findall(r'(?:return|=|\(None,) f?"([a-z ]+): ', code))
    assert given == set(REASONS)
