"""What was exported can be trained on: it starts with the artefact's answers, and learns."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.harness import ROOT
from tests.training.test_export import lively
from tests.training.tiny import SAMPLE
from training import export, train
from training.artefact import torchscript, unfold
from training.artefact.graph import ServedGraph
from training.artefact.parity import torchscript_outputs
from training.data.augment import NONE
from training.data.dataset import DIGIT_LABELS, load_sample
from training.errors import TrainingError
from training.networks import NETWORKS
from training.networks.classifier import Classifier
from training.run import run_folder
from training.run.predict import predict
from training.run.recipe import Recipe

NO_SYNTHESIS = ["--written-digits", "0", "--not-digits", "0", "--device", "cpu"]


def write(classifier: Classifier, network: str, folder: Path) -> None:
    shape = classifier.preprocess.contract.shape
    torchscript.write(
        ServedGraph(classifier, 1.0).eval(), torch.zeros((2, *shape), dtype=torch.uint8), folder / "model.pt"
    )
    metadata = {
        "labels": DIGIT_LABELS,
        "recipe": asdict(Recipe(network=network, augmentation=NONE)),
    }
    run_folder.write_json(folder / "metadata.json", metadata)


@pytest.mark.parametrize("network", sorted(NETWORKS))
def test_every_network_answers_as_its_artefact_does(network: str, tmp_path: Path) -> None:
    classifier = lively(network)
    write(classifier, network, tmp_path)
    images = torch.randint(0, 256, (6, *classifier.preprocess.contract.shape), dtype=torch.uint8)
    back = unfold.unfolded(tmp_path, DIGIT_LABELS, images)
    assert (predict(back, images) - predict(classifier, images)).abs().max() < unfold.MOST_DIFFERENCE
    assert back.state_dict().keys() == classifier.state_dict().keys()


def test_batch_norm_starts_with_what_it_would_see(tmp_path: Path) -> None:
    """So that a batch of such images, whose own statistics training goes by, is answered nearly alike."""
    write(lively("tiny"), "tiny", tmp_path)
    images = load_sample().train.images[:1000]
    back = unfold.unfolded(tmp_path, DIGIT_LABELS, images)
    expected = predict(back, images)
    for module in back.modules():
        module.train(isinstance(module, nn.BatchNorm2d))
    with torch.no_grad():
        assert (back(images) - expected).abs().max() < 0.01 * expected.abs().max()


@pytest.mark.parametrize("name", ["googlenet", "alexnet"])
def test_the_shipped_ones_can_be_trained_on(name: str) -> None:
    images = load_sample().validation.images[:100]
    back = unfold.unfolded(ROOT / "exported" / name, DIGIT_LABELS, images)
    _, expected = torchscript_outputs(ROOT / "exported" / name / "model.pt", images)
    assert (predict(back, images) - torch.from_numpy(expected)).abs().max() < unfold.MOST_DIFFERENCE


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an artefact, and beside it the run that it is of."""
    folder = tmp_path_factory.mktemp("first")
    train.main([*SAMPLE, *NO_SYNTHESIS, "--epochs", "3", "--run", str(folder / "run")])
    export.main([str(folder / "run"), str(folder / "exported")])
    return folder


def test_a_run_from_an_artefact_begins_where_that_was_and_goes_on(first: Path, tmp_path: Path) -> None:
    further = [*SAMPLE, *NO_SYNTHESIS, "--epochs", "2", "--start-from", str(first / "exported")]
    train.main([*further, "--learning-rate", "1e-6", "--run", str(tmp_path / "still")])
    train.main([*further, "--run", str(tmp_path / "further")])
    before = run_folder.read_log(first / "run")[-1]
    still, learned = (run_folder.read_log(tmp_path / name)[-1] for name in ("still", "further"))
    assert still.validation_accuracy == pytest.approx(before.validation_accuracy, abs=0.005)
    assert learned.validation_loss < before.validation_loss - 0.02
    assert learned.validation_accuracy > before.validation_accuracy


def test_a_network_of_another_kind_is_refused(first: Path, tmp_path: Path) -> None:
    other = [
        "--recipe",
        "sample",
        *NO_SYNTHESIS,
        "--start-from",
        str(first / "exported"),
        "--run",
        str(tmp_path / "run"),
    ]
    with pytest.raises(SystemExit, match="is of another network than googlenet"):
        train.main(other)


def test_neither_run_nor_artefact_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"holds neither a run \(recipe\.json\) nor an exported model"):
        train.main([*SAMPLE, *NO_SYNTHESIS, "--start-from", str(tmp_path), "--run", str(tmp_path / "run")])


def test_other_classes_are_refused(first: Path) -> None:
    with pytest.raises(TrainingError, match=r"the data has the classes cat, dog; .* has 0, 1"):
        unfold.unfolded(first / "exported", ("cat", "dog"), load_sample().train.images[:10])


def test_metadata_of_something_else_is_named(first: Path, tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_bytes((first / "exported" / "model.pt").read_bytes())
    (tmp_path / "metadata.json").write_text(json.dumps({"labels": list(DIGIT_LABELS)}))
    with pytest.raises(TrainingError, match=r"metadata\.json is none that an export writes: KeyError\('recipe'\)"):
        unfold.unfolded(tmp_path, DIGIT_LABELS, load_sample().train.images[:10])


def test_another_network_of_that_name_is_refused(first: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(NETWORKS, "tiny", NETWORKS["alexnet-d2l"])
    with pytest.raises(TrainingError, match="holds another tiny than this version has"):
        unfold.unfolded(first / "exported", DIGIT_LABELS, load_sample().train.images[:10])


def test_what_answers_otherwise_is_refused(first: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unfold, "MOST_DIFFERENCE", 0.0)
    with pytest.raises(TrainingError, match=r"answers otherwise, logits differ by up to \S+; allowed: 0\.0"):
        unfold.unfolded(first / "exported", DIGIT_LABELS, load_sample().train.images[:10])
