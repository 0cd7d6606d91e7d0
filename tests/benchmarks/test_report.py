"""The table, the chart and the line of JSON that a benchmark leaves."""

import json
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from benchmarks import ablation, batching, engine, report
from benchmarks.figures import Figures

RESULTS: dict[str, dict[str, Figures]] = {
    "numeral": {
        "raw, 32 connections": {
            "requests_per_second": 4995.21,
            "images_per_second": 4995.21,
            "p50_ms": 6.1,
            "failed": 0,
        },
        "raw, 1 connections": {"requests_per_second": 1500, "p50_ms": 0.64, "p99_ms": 1.8, "failed": 1},
    },
    "peer": {"raw, 32 connections": {"requests_per_second": 1000, "p50_ms": 20, "p99_ms": 70, "failed": 0}},
    "bare": {"no web": {"images_per_second": 11163.4}},
}


def test_the_table_has_a_line_for_each_load_and_leaves_open_what_was_not_measured() -> None:
    assert report.table(RESULTS).splitlines()[2:] == [
        "| numeral | raw, 32 connections | 4,995.21 | 4,995.21 | 6.10 |  | 0.00 |",
        "| numeral | raw, 1 connections | 1,500.00 |  | 0.64 | 1.80 | 1.00 |",
        "| peer | raw, 32 connections | 1,000.00 |  | 20.00 | 70.00 | 0.00 |",
        "| bare | no web |  | 11,163.40 |  |  |  |",
    ]


def test_the_chart_has_a_bar_for_each_server_with_32_connections(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Figure] = []
    save = Figure.savefig

    def noted(figure: Figure, path: Path, dpi: int) -> None:
        drawn.append(figure)
        save(figure, path, dpi=dpi)

    monkeypatch.setattr(Figure, "savefig", noted)
    report.chart(RESULTS, "title", tmp_path / "chart.png")
    (axes,) = drawn[0].axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["peer (raw)", "numeral (raw)"]
    assert [bar.get_width() for bar in axes.patches if isinstance(bar, Rectangle)] == [1000, 4995.21]
    with Image.open(tmp_path / "chart.png") as picture:
        assert picture.width == 800


def test_the_line_says_what_where_and_when(tmp_path: Path) -> None:
    report.save(report.line_of("serving-x", RESULTS, rounds=3), tmp_path / "new")
    line = json.loads((tmp_path / "new/serving-x.json").read_text())
    assert list(line) == ["benchmark", "date", "hardware", "rounds", "results"]
    assert line["results"] == RESULTS
    assert line["hardware"]["cores"] >= 1
    assert line["hardware"]["versions"]["onnxruntime"]


def test_the_table_of_batches() -> None:
    figures = {"requests_per_second": 5216.4, "p50_ms": 6.0, "p99_ms": 9.5, "mean_batch": 7.02}
    assert batching.table({"8 | 0": {"raw, 32 connections": figures}}).splitlines() == [
        "| largest batch | wait ms | load | requests/s | p50 ms | p99 ms | mean batch |",
        "|---|---|---|---|---|---|---|",
        "| 8 | 0 | raw, 32 connections | 5,216 | 6.0 | 9.5 | 7.02 |",
    ]


def test_the_mean_batch_is_of_the_model_asked_for() -> None:
    exposition = """# HELP numeral_batch_images Images in a batch
numeral_batch_images_sum{model="alexnet"} 5.0
numeral_batch_images_count{model="alexnet"} 5.0
numeral_batch_images_sum{model="googlenet"} 90.0
numeral_batch_images_count{model="googlenet"} 12.0
"""
    assert batching.mean_batch_of(exposition, "googlenet") == 7.5


def test_the_table_of_engines() -> None:
    medians = {"CPU int8": dict(zip(engine.BATCHES, (4100, 5600, 6100, 6213, 6200, 6190), strict=True))}
    assert engine.table(medians).splitlines() == [
        "| images/s, batch of | 1 | 4 | 16 | 64 | 256 | 1024 |",
        "|---|---|---|---|---|---|---|",
        "| CPU int8 | 4,100 | 5,600 | 6,100 | 6,213 | 6,200 | 6,190 |",
    ]


def test_the_table_of_the_ablation_gives_mean_and_deviation() -> None:
    both = [{"MNIST": 97.0, "AUROC": 0.97}, {"MNIST": 98.0, "AUROC": 0.98}]
    finished = {"everything": both, "no blur": [{"MNIST": 96.0, "AUROC": 0.9}]}
    assert ablation.table(finished).splitlines() == [
        "| | seeds | MNIST | AUROC |",
        "|---|---|---|---|",
        "| everything | 2 | 97.50 ± 0.71 | 0.9750 ± 0.0071 |",
        "| no blur | 1 | 96.00 ± 0.00 | 0.9000 ± 0.0000 |",
    ]
