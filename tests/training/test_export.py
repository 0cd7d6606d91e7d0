"""An artefact is what the run was, proved, or it is not there."""

import json
import math
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from PIL import Image
from torch import nn

from service.model import artefact
from tests.harness import Digits
from tests.training.artefact.test_into_place import filled
from tests.training.tiny import SAMPLE
from training import export, train
from training.artefact import onnx_file, parity, torchscript
from training.artefact.calibration import FALSE_ACCEPT_RATE
from training.artefact.graph import ServedGraph
from training.data.dataset import DIGIT_LABELS, load_sample
from training.errors import TrainingError
from training.networks import NETWORKS
from training.networks.classifier import Classifier
from training.run.trained import load_classifier

SMALL = [*SAMPLE, "--epochs", "4", "--batch-size", "100", "--device", "cpu"]

# Such a run is calibrated on the validation split alone, which is fast.
ONLY_DIGITS = ["--written-digits", "0", "--not-digits", "0"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    train.main([*SMALL, *ONLY_DIGITS, "--run", str(folder)])
    return folder


@pytest.fixture(scope="module")
def exported(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("exported") / "first"
    export.main([str(run), str(target)])
    return target


def metadata_of(folder: Path) -> dict[str, Any]:
    metadata: dict[str, Any] = json.loads((folder / "metadata.json").read_text())
    return metadata


def test_the_service_loads_what_was_exported(exported: Path) -> None:
    loaded = artefact.load(exported)
    assert loaded.labels == tuple("0123456789")
    assert {path.name for path in exported.iterdir()} == {"model.onnx", "model.int8.onnx", "model.pt", "metadata.json"}


def test_it_is_calibrated_on_real_pictures_where_there_are_some(run: Path, tmp_path: Path, digits: Digits) -> None:
    for number in range(60):
        folder = tmp_path / "uploads" / str(digits.labels[number * 80])
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(255 - digits.images[number * 80]).save(folder / f"{number}.png")
    export.main([str(run), str(tmp_path / "target"), "--uploads", str(tmp_path / "uploads")])
    calibration = metadata_of(tmp_path / "target")["calibration"]
    assert (calibration["split"], calibration["images"]) == ("uploads", 60)


def test_what_goes_on_from_a_model_fitted_on_pictures_keeps_its_calibration(
    run: Path, exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What code makes is harder, and would give a threshold under which half of someone's pictures are doubtful."""
    first = tmp_path / "first"
    shutil.copytree(exported, first)
    metadata = metadata_of(first)
    metadata |= {"temperature": 0.5, "reject_threshold": 0.625}
    for split, kept in (("uploads", True), (metadata["calibration"]["split"], False)):
        metadata["calibration"]["split"] = split
        (first / "metadata.json").write_text(json.dumps(metadata))
        second, target = tmp_path / f"{kept} run", tmp_path / str(kept)
        train.main([*SMALL, *ONLY_DIGITS, "--epochs", "1", "--start-from", str(first), "--run", str(second)])
        capsys.readouterr()
        export.main([str(second), str(target)])
        assert ("temperature and threshold are those of" in capsys.readouterr().out) == kept
        after = metadata_of(target)
        assert ((after["temperature"], after["reject_threshold"]) == (0.5, 0.625)) == kept
        assert after["calibration"].get("kept_from") == (str(first) if kept else None)
        assert after["calibration"].get("measured_on") == ("validation" if kept else None)
        assert after["calibration"]["accepted_share"] > 0.5


def test_metadata_says_what_was_measured(run: Path, exported: Path) -> None:
    metadata = metadata_of(exported)
    classifier = load_classifier(run, DIGIT_LABELS, torch.device("cpu"))
    test = load_sample().test
    probabilities, logits = parity.onnx_outputs(exported / "model.onnx", test.images.numpy())
    assert metadata["test"]["n"] == 500
    assert metadata["test"]["accuracy"] == (logits.argmax(axis=1) == test.labels.numpy()).mean()
    with torch.inference_mode():
        eager = classifier(test.images).numpy()
    np.testing.assert_allclose(logits, eager, rtol=1e-4, atol=1e-5)
    cooled = torch.from_numpy(logits) / metadata["temperature"]
    np.testing.assert_allclose(probabilities, cooled.softmax(dim=1).numpy(), atol=1e-5)
    assert metadata["parity"]["images"] == 500
    assert metadata["cpu_batch"] == 64
    assert metadata["recipe"]["data"] == "sample"


def test_a_network_that_differs_is_found(run: Path, exported: Path) -> None:
    """The parity check can fail: a ReLU that got lost, and weights of another run."""
    images = load_sample().test.images[:50]
    classifier = load_classifier(run, DIGIT_LABELS, torch.device("cpu"))
    temperature = metadata_of(exported)["temperature"]
    assert parity.prove(classifier, temperature, exported, images).max_error < 1e-4
    with pytest.raises(TrainingError, match="ONNX at batch 1: probabilities differ"):
        parity.prove(classifier, temperature * 1.01, exported, images)
    block = classifier.network[0]
    assert isinstance(block, nn.Sequential)
    block[2] = nn.Identity()
    with pytest.raises(TrainingError, match=r"ONNX at batch 1: \w+ differ by up to \S+; allowed: rtol 0.0001"):
        parity.prove(classifier, temperature, exported, images)


def test_int8_answers_as_fp32_does_and_says_how_often(exported: Path) -> None:
    figures = metadata_of(exported)["int8"]
    assert figures["images"] == 500
    assert figures["agreement"] >= parity.INT8_AGREEMENT
    assert figures["accuracy_lost"] == pytest.approx(metadata_of(exported)["test"]["accuracy"] - figures["accuracy"])
    graph = onnx.load(exported / "model.int8.onnx").graph
    assert {"QuantizeLinear", "DequantizeLinear"} <= {node.op_type for node in graph.node}
    weights = [tensor.data_type for tensor in graph.initializer if math.prod(tensor.dims) > 10 and len(tensor.dims) > 1]
    assert weights == [onnx.TensorProto.INT8] * 3


def test_an_int8_that_answers_otherwise_is_left_out(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for module in (parity, export):
        monkeypatch.setattr(module, "INT8_AGREEMENT", 1.01)
    export.main([str(run), str(tmp_path / "target")])
    said = r"model\.int8\.onnx is left out: it answers as fp32 does on \d+\.\d+% of 500 images; needed: 101\.0%"
    assert re.search(said, capsys.readouterr().out)
    assert {path.name for path in (tmp_path / "target").iterdir()} == {"model.onnx", "model.pt", "metadata.json"}
    assert metadata_of(tmp_path / "target")["int8"]["agreement"] > 0.9
    assert artefact.load(tmp_path / "target", "int8", "fp32").precision == "fp32"


@pytest.mark.parametrize("network", sorted(NETWORKS))
def test_every_network_exports_with_parity(network: str, tmp_path: Path) -> None:
    classifier = lively(network)
    images = torch.randint(0, 256, (3, *classifier.preprocess.contract.shape), dtype=torch.uint8)
    graph = ServedGraph(classifier, 1.0).eval()
    torchscript.write(graph, images[:2], tmp_path / "model.pt")
    onnx_file.write(graph, images[:2], ["probabilities", "logits"], tmp_path / "model.onnx")
    _, logits = parity.onnx_outputs(tmp_path / "model.onnx", images.numpy())
    assert np.ptp(logits, axis=0).max() > 1000 * parity.ATOL
    parity.prove(classifier, 1.0, tmp_path, images)


def lively(network: str) -> Classifier:
    """As a trained one, it makes a difference of what goes in; weights as they are made let next to nothing through."""
    torch.manual_seed(0)
    classifier = Classifier(network, 10).eval()
    for module in classifier.network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight)
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            nn.init.uniform_(module.running_mean, -0.1, 0.1)
            nn.init.uniform_(module.running_var, 0.5, 2)
    return classifier


def test_the_threshold_keeps_letters_out_where_they_were_learned(tmp_path: Path) -> None:
    train.main([*SMALL, "--run", str(tmp_path / "run")])
    export.main([str(tmp_path / "run"), str(tmp_path / "target")])
    metadata = metadata_of(tmp_path / "target")
    # Measured on the half that the threshold was not chosen on. What this network misreads may keep out more of them.
    assert metadata["calibration"]["false_accept_rate"] < FALSE_ACCEPT_RATE + 0.015
    assert metadata["calibration"]["accepted_share"] > 0.05
    assert metadata["calibration"]["images"] > 3000
    assert metadata["reject_threshold"] == metadata["calibration"]["reject_threshold"]


def test_without_letters_nearly_all_of_validation_is_accepted(exported: Path) -> None:
    calibration = metadata_of(exported)["calibration"]
    assert calibration["false_accept_rate"] is None
    assert calibration["accepted_share"] > 0.97


def test_equal_logits_within_tolerance_but_another_answer_is_found() -> None:
    logits = np.array([[1.0, 1.0 + 5e-6]], np.float32)
    probabilities = np.array([[0.5, 0.5]], np.float32)
    with pytest.raises(TrainingError, match="1 answers differ, the first at image 0"):
        parity.compare("ONNX", (probabilities, logits[:, ::-1]), (probabilities, logits))


def test_an_export_that_fails_leaves_the_artefact_before_it(
    run: Path, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path.name: path.read_bytes() for path in exported.iterdir()}
    monkeypatch.setattr(parity, "RTOL", 0.0)
    monkeypatch.setattr(parity, "ATOL", 0.0)
    with pytest.raises(SystemExit, match="probabilities differ"):
        export.main([str(run), str(exported), "--replace"])
    assert {path.name: path.read_bytes() for path in exported.iterdir()} == before
    assert [path.name for path in exported.parent.iterdir()] == [exported.name]


def test_an_artefact_is_replaced_whole(run: Path, exported: Path) -> None:
    (exported / "stray").write_text("of the artefact before")
    export.main([str(run), str(exported), "--replace"])
    assert {path.name for path in exported.iterdir()} == {"model.onnx", "model.int8.onnx", "model.pt", "metadata.json"}
    assert [path.name for path in exported.parent.iterdir()] == [exported.name]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Has a terminal in place of standard input say something."""
    controller, other = os.openpty()
    with os.fdopen(controller, "wb", buffering=0) as ours, os.fdopen(other) as theirs:
        monkeypatch.setattr(sys, "stdin", theirs)

        def say(answer: str) -> None:
            ours.write(f"{answer}\n".encode())

        yield say


def test_it_says_what_its_threshold_comes_to(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export.main([str(run), str(tmp_path / "target")])
    calibration = metadata_of(tmp_path / "target")["calibration"]
    said = f"accepts {calibration['accepted_share']:.2%} of its calibration images at the threshold "
    said += f"{calibration['reject_threshold']:.3f}, of these {calibration['right_share']:.2%} right\n"
    assert said in capsys.readouterr().out


def test_what_is_there_is_not_replaced_unasked(run: Path, exported: Path) -> None:
    before = {path.name: path.read_bytes() for path in exported.iterdir()}
    with pytest.raises(SystemExit, match="is there already; --replace puts the new one in its place"):
        export.main([str(run), str(exported)])
    assert {path.name: path.read_bytes() for path in exported.iterdir()} == before


@pytest.mark.parametrize(("answer", "replaced"), [("y", True), ("N", False), ("", False)])
def test_at_a_terminal_it_asks(
    run: Path, tmp_path: Path, terminal: Callable[[str], None], answer: str, replaced: bool
) -> None:
    target = filled(tmp_path / "target", "old")
    terminal(answer)
    if replaced:
        export.main([str(run), str(target)])
    else:
        with pytest.raises(SystemExit, match="is as it was; the new one is thrown away"):
            export.main([str(run), str(target)])
    assert (target / "model").exists() != replaced
    assert (target / "model.onnx").exists() == replaced
    assert [path.name for path in tmp_path.iterdir()] == ["target"]


def test_an_unfinished_run_is_not_exported(run: Path, tmp_path: Path) -> None:
    unfinished = tmp_path / "run"
    unfinished.mkdir()
    for name in ("checkpoint.pt", "environment.json", "log.csv"):
        (unfinished / name).write_bytes((run / name).read_bytes())
    recipe = json.loads((run / "recipe.json").read_text())
    (unfinished / "recipe.json").write_text(json.dumps({**recipe, "epochs": 5}))
    with pytest.raises(SystemExit, match=r"has finished 4 of 5 epochs; go on with: .* --resume"):
        export.main([str(unfinished), str(tmp_path / "target")])
    assert not (tmp_path / "target").exists()
