"""The boundary between training and service: they share the artefact's folder, and what makes a network's input."""

import subprocess
import sys

import pytest

from tests.harness import ROOT

SERVICE = "service.app service.check service.web.classify service.web.pages"

TRAINING = "training.train training.evaluate training.judge.uploads training.export"


def imported(modules: str) -> set[str]:
    """The packages and the service's modules that a fresh process holds after importing `modules`."""
    code = f"import sys, {', '.join(modules.split())}; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    names = result.stdout.split()
    return {name.split(".")[0] for name in names} | {name for name in names if name.startswith("service.")}


def assert_apart(modules: str, forbidden: set[str]) -> None:
    found = imported(modules) & forbidden
    assert not found, f"{modules} imports {', '.join(sorted(found))}"


def test_the_service_imports_no_torch_and_no_training() -> None:
    assert_apart(SERVICE, {"torch", "torchvision", "onnx", "training", "scipy", "matplotlib"})


def test_training_imports_no_bentoml_and_of_the_service_only_what_makes_inputs() -> None:
    names = imported(TRAINING)
    assert "bentoml" not in names
    assert {name for name in names if name.startswith("service.")} <= {"service.picture"} | {
        name for name in names if name.startswith("service.picture.")
    }


def test_the_normaliser_needs_numpy_and_pillow_alone() -> None:
    assert_apart("service.picture.normalise", {"bentoml", "onnxruntime", "starlette", "pydantic", "torch", "scipy"})


def test_these_tests_can_fail() -> None:
    with pytest.raises(AssertionError, match=r"training\.artefact\.graph imports torch, training"):
        assert_apart("training.artefact.graph", {"torch", "training", "bentoml"})
