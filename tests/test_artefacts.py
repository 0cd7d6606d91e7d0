"""The shipped artefacts: their formats agree with each other, and read digits as their card says."""

import json
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from service.model.artefact import load
from tests.harness import ROOT, Digits
from training.artefact import parity, torchscript
from training.data import synthesis
from training.data.dataset import Split

MODELS = ["googlenet", "alexnet"]


def metadata_of(model: str) -> dict[str, Any]:
    metadata: dict[str, Any] = json.loads((ROOT / "exported" / model / "metadata.json").read_text())
    return metadata


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("batch", [1, 3, 32, 500])
def test_torchscript_and_onnx_agree(model: str, batch: int, digits: Digits) -> None:
    folder = ROOT / "exported" / model
    images = digits.images[:: 5000 // batch][:batch]
    probabilities, logits = parity.onnx_outputs(folder / "model.onnx", images)
    with torch.inference_mode():
        scripted_probabilities, scripted_logits = torchscript.read(folder / "model.pt")(torch.from_numpy(images))
    assert logits.shape == (batch, 10)
    np.testing.assert_allclose(scripted_logits.numpy(), logits, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(scripted_probabilities.numpy(), probabilities, atol=1e-5)


@pytest.mark.parametrize("model", MODELS)
def test_int8_reads_the_sample_as_fp32_does_and_as_the_metadata_says(model: str, digits: Digits) -> None:
    """These are training images for the most part, so the accuracies are no measurement; what int8 changes is one."""
    folder = ROOT / "exported" / model
    fp32, int8 = (
        parity.onnx_outputs(folder / name, digits.images)[0].argmax(axis=1)
        for name in ("model.onnx", "model.int8.onnx")
    )
    accuracies = [(answers == digits.labels).mean() for answers in (fp32, int8)]
    agreement = (int8 == fp32).mean()
    assert accuracies[0] >= 0.99
    assert agreement >= 0.999
    figures = metadata_of(model)["int8"]
    assert figures["images"] == 10_000
    assert agreement == pytest.approx(figures["agreement"], abs=0.001)
    assert accuracies[0] - accuracies[1] == pytest.approx(figures["accuracy_lost"], abs=0.001)


@pytest.mark.parametrize("model", MODELS)
def test_the_threshold_lets_digits_in_and_keeps_the_rest_out(model: str, digits: Digits) -> None:
    """Letters, signs, scribbles and rows of digits that no training saw, and noise that fills the image."""
    threshold = load(ROOT / "exported" / model).reject_threshold
    pieces = Split(torch.from_numpy(digits.images), torch.from_numpy(digits.labels))
    strangers = synthesis.not_digits(500, seed=7, pieces=pieces, held_out=True).images.numpy()
    noise = np.random.default_rng(0).integers(0, 256, (100, 28, 28), np.uint8)
    accepted = [
        (parity.onnx_outputs(ROOT / "exported" / model / "model.onnx", images)[0].max(axis=1) >= threshold).mean()
        for images in (digits.images[::10], strangers, noise)
    ]
    # Of digits photographed badly fewer are accepted; the metadata has that share.
    assert accepted[0] >= max(0.95, metadata_of(model)["calibration"]["accepted_share"])
    assert accepted[1] <= 0.05
    assert accepted[2] == 0


def test_the_model_card_gives_the_figures_of_the_metadata() -> None:
    lines = Path(ROOT / "exported/README.md").read_text().splitlines()
    rows = {cells[1]: cells[2:] for line in lines if len(cells := [cell.strip() for cell in line.split("|")]) > 3}
    for column, model in enumerate(MODELS):
        metadata = metadata_of(model)
        test = metadata["test"]
        low, high = (f"{100 * bound:.2f}" for bound in test["interval_95"])
        for row, figures in {
            "sha256 of model.onnx": [f"`{metadata['files']['model.onnx']['sha256'][:12]}…`"],
            f"MNIST test, {test['n']:,} images": [f"{100 * test['accuracy']:.2f} %", low, high],
            "validation, 5,000 images": [f"{100 * metadata['validation']['accuracy']:.2f} %"],
            "greatest difference of a logit, eager to ONNX and TorchScript": [f"{metadata['parity']['max_error']:.1e}"],
            "temperature, reject threshold": [f"{metadata[name]:.3f}" for name in ("temperature", "reject_threshold")],
            "int8 through the running service": [f"same answer on {100 * metadata['int8']['agreement']:.2f} %"],
        }.items():
            missing = [figure for figure in figures if figure not in rows[row][column]]
            assert not missing, f"{model}, {row}"


@pytest.mark.parametrize("model", MODELS)
def test_int8_takes_a_third_of_the_room(model: str) -> None:
    fp32, int8 = ((ROOT / "exported" / model / name).stat().st_size for name in ("model.onnx", "model.int8.onnx"))
    assert int8 < 0.35 * fp32


def test_all_artefacts_together_stay_small() -> None:
    assert sum(path.stat().st_size for model in MODELS for path in ROOT.glob(f"exported/{model}/*")) < 72_000_000


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob("exported/*/model.*")), ids=lambda path: f"{path.parent.name}/{path.name}"
)
def test_no_artefact_names_a_path_of_the_machine_that_made_it(path: Path) -> None:
    contents = [path.read_bytes()]
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            contents += [archive.read(name) for name in archive.namelist()]
    assert not any(re.search(rb"/(home|root|work|tmp|usr|Users)/\w", content) for content in contents)
