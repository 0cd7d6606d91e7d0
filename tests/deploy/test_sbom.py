"""The list of what is served has every pin with its hashes and every model by the hash of its file: `make sbom`."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.harness import ROOT, copy_tree
from tests.test_requirements import logical_lines, read_pins

SCHEMA = pytest.importorskip("cyclonedx.schema")
VALIDATION = pytest.importorskip("cyclonedx.validation.json")


def listed(requirements: str, cwd: Path = ROOT) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "deploy.sbom", f"requirements/{requirements}.txt"]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module", params=["cpu", "gpu"])
def name(request: pytest.FixtureRequest) -> str:
    given: str = request.param
    return given


@pytest.fixture(scope="module")
def text(name: str) -> str:
    done = listed(name)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture
def components(text: str) -> dict[str, dict[str, Any]]:
    """By name, and the files of models by their paths."""
    found: list[dict[str, Any]] = json.loads(text)["components"]
    every = [*found, *(inner for each in found for inner in each.get("components", []))]
    return {each.get("properties", [{}])[0].get("value", each["name"]): each for each in every}


def wrong(text: str) -> object:
    return VALIDATION.JsonStrictValidator(SCHEMA.SchemaVersion.V1_6).validate_str(text)


def test_it_is_one_by_the_schema(text: str) -> None:
    assert wrong(text) is None
    assert wrong(text.replace('"machine-learning-model"', '"oracle"', 1)) is not None


def test_it_is_the_same_again(name: str, text: str) -> None:
    assert listed(name).stdout == text


def test_it_says_what_it_is_of(text: str) -> None:
    described = json.loads(text)["metadata"]["component"]
    assert (described["name"], described["type"]) == ("numeral", "application")


def test_every_package_is_in_it_by_version_and_hashes(name: str, components: dict[str, dict[str, Any]]) -> None:
    lines = {line.split("==")[0]: line for line in logical_lines((ROOT / f"requirements/{name}.txt").read_text())}
    pins = read_pins(name)
    assert pins.keys() <= components.keys()
    for package, pin in pins.items():
        (source,) = components[package]["externalReferences"]
        hashes = {each["content"] for each in source["hashes"]}
        assert components[package]["version"] == str(pin.version)
        assert hashes == {word.removeprefix("--hash=sha256:") for word in lines[package].split() if "sha256:" in word}


def test_every_model_is_in_it_by_the_hash_of_its_file(components: dict[str, dict[str, Any]]) -> None:
    paths = [*ROOT.glob("exported/*/*.onnx"), ROOT / "service/picture/ink_finder.onnx"]
    assert len(paths) == 5
    for path in paths:
        (given,) = components[str(path.relative_to(ROOT))]["hashes"]
        assert given == {"alg": "SHA-256", "content": hashlib.sha256(path.read_bytes()).hexdigest()}


def test_a_models_card_says_what_its_metadata_does(components: dict[str, dict[str, Any]]) -> None:
    for model in ("alexnet", "googlenet"):
        metadata = json.loads((ROOT / f"exported/{model}/metadata.json").read_text())
        card = components[model]["modelCard"]
        test, validation = card["quantitativeAnalysis"]["performanceMetrics"]
        assert float(test["value"]) == metadata["test"]["accuracy"]
        assert str(validation["slice"]).startswith(f"validation, {metadata['validation']['n']}")
        assert card["modelParameters"]["modelArchitecture"] == metadata["network"]


def test_no_list_is_made_of_a_model_that_was_changed(tmp_path: Path) -> None:
    copy_tree(tmp_path, without=("tests/", "training/", "docs/", "benchmarks/"))
    with (tmp_path / "exported/alexnet/model.int8.onnx").open("ab") as file:
        file.write(b"\0")
    done = listed("cpu", tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "no list is made: " in done.stderr
    assert "alexnet/model.int8.onnx has sha256" in done.stderr


def test_it_is_written_where_git_takes_nothing() -> None:
    done = subprocess.run(["git", "check-ignore", "build/numeral-cpu.locked.cdx.json"], cwd=ROOT, check=False)
    assert done.returncode == 0
