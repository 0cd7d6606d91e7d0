"""An artefact is loaded only when its files are the ones that its metadata speaks of."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from service.errors import StartError
from service.model import artefact
from tests.harness import ROOT


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    target = tmp_path / "googlenet"
    shutil.copytree(ROOT / "exported/googlenet", target)
    return target


def change_metadata(folder: Path, **values: Any) -> None:
    path = folder / "metadata.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_a_shipped_artefact_loads(folder: Path) -> None:
    loaded = artefact.load(folder)
    assert loaded.name == "googlenet"
    assert loaded.labels == tuple("0123456789")
    assert loaded.read_model() == (folder / "model.onnx").read_bytes()


def test_what_is_no_number_is_none_in_what_the_threshold_came_to(folder: Path) -> None:
    change_metadata(folder, calibration={"accepted_share": 0.0, "right_share": float("nan")})
    calibration = artefact.load(folder).calibration
    assert (calibration.accepted_share, calibration.right_share, calibration.risk_coverage) == (0, None, None)
    change_metadata(folder, calibration={})
    assert artefact.load(folder).calibration.accepted_share is None


def test_torchscript_may_be_left_out(folder: Path) -> None:
    (folder / "model.pt").unlink()
    assert artefact.load(folder).name == "googlenet"


def test_the_file_of_the_precision_is_loaded(folder: Path) -> None:
    for precision, name in artefact.MODEL_FILES.items():
        loaded = artefact.load(folder, precision)
        assert loaded.precision == precision
        assert loaded.read_model() == (folder / name).read_bytes()


def test_a_precision_that_was_not_exported_is_refused(folder: Path) -> None:
    files = json.loads((folder / "metadata.json").read_text())["files"]
    change_metadata(folder, files={"model.onnx": files["model.onnx"]})
    with pytest.raises(
        StartError, match=r"files lists no model\.int8\.onnx; it has model\.onnx; NUMERAL_PRECISION may be auto or fp32"
    ):
        artefact.load(folder, "int8")


def test_the_first_precision_that_is_there_is_loaded(folder: Path) -> None:
    assert artefact.load(folder, "int8", "fp32").precision == "int8"
    (folder / "model.int8.onnx").unlink()
    assert artefact.load(folder, "int8", "fp32").precision == "fp32"
    files = json.loads((folder / "metadata.json").read_text())["files"]
    change_metadata(folder, files={"model.onnx": files["model.onnx"]})
    assert artefact.load(folder, "int8", "fp32").precision == "fp32"


@pytest.mark.parametrize("name", ["model.onnx", "model.int8.onnx", "model.pt"])
def test_a_changed_file_is_refused(folder: Path, name: str) -> None:
    with (folder / name).open("ab") as file:
        file.write(b"\0")
    with pytest.raises(StartError, match=rf"{name} has sha256 [0-9a-f]{{64}}; its metadata.json says [0-9a-f]{{64}}"):
        artefact.load(folder)


def test_a_missing_model_is_refused(folder: Path) -> None:
    (folder / "model.onnx").unlink()
    with pytest.raises(StartError, match=r"has no model\.onnx"):
        artefact.load(folder)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"schema_version": 99}, "schema_version: Input should be 1"),
        ({"files": {}}, r"lists no model\.onnx"),
        ({"input": {"dtype": "float32", "shape": ["batch", 28, 28]}}, "input.dtype: Input should be 'uint8'"),
        (
            {"input": {"dtype": "uint8", "shape": ["batch", 32, 32], "made_by": "digit normaliser"}},
            "the digit normaliser makes 28×28, not 32×32",
        ),
        (
            {"input": {"dtype": "uint8", "shape": ["batch", 28, 28], "made_by": "digit normaliser"}, "labels": ["a"]},
            "labels are a; the digit normaliser is for digits",
        ),
        ({"input": {"dtype": "uint8", "shape": ["batch", 3, 24, 32]}}, "three squares, and not 3×24×32"),
        ({"files": {"model.onnx": {}}}, r"files.model\.onnx.sha256: Field required"),
        ({"test": {"n": 3}}, "test.accuracy: Field required"),
    ],
)
def test_metadata_that_this_service_does_not_know_is_refused(folder: Path, values: dict[str, Any], said: str) -> None:
    change_metadata(folder, **values)
    with pytest.raises(StartError, match=said):
        artefact.load(folder)


def test_missing_metadata_keys_are_named(folder: Path) -> None:
    path = folder / "metadata.json"
    metadata = json.loads(path.read_text())
    path.write_text(json.dumps({key: value for key, value in metadata.items() if key not in ("labels", "test")}))
    with pytest.raises(StartError, match="labels: Field required; test: Field required"):
        artefact.load(folder)


def test_broken_json_is_refused(folder: Path) -> None:
    for text in ("{", "[]", ""):
        (folder / "metadata.json").write_text(text)
        with pytest.raises(StartError, match=r"metadata\.json is not what this service knows"):
            artefact.load(folder)


def test_a_folder_without_models_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="holds no model"):
        artefact.load_all(tmp_path, ["fp32"])
    with pytest.raises(StartError, match="is no folder"):
        artefact.load_all(tmp_path / "absent", ["fp32"])


@pytest.mark.parametrize(("labels", "reads_digits"), [(["0", "1"], True), (["Dress", "Coat"], False)])
def test_artefacts_of_before_there_was_a_choice_read_digits_if_their_labels_are(
    folder: Path, labels: list[str], reads_digits: bool
) -> None:
    before = {"name": "images", "shape": ["batch", 28, 28], "dtype": "uint8"}
    change_metadata(folder, labels=labels, input=before)
    assert artefact.load(folder).reads_digits is reads_digits
