"""What is in deploy/kubernetes, as kubectl renders it."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.harness import ROOT

KUBERNETES = ROOT / "deploy/kubernetes"
OVERLAYS = ("base", "overlays/gpu", "overlays/autoscaled")
KSERVE: dict[str, Any] = yaml.safe_load((KUBERNETES / "kserve/inferenceservice.yaml").read_text())

KUBECTL = shutil.which("kubectl")
WHY_SKIPPED = "no kubectl on the PATH, which renders the manifests; it needs no cluster"

UNITS = {"Mi": 2**20, "Gi": 2**30}


def render(overlay: str, folder: Path = KUBERNETES) -> dict[str, dict[str, Any]]:
    """By kind; there is one of each. Raises CalledProcessError where it cannot be rendered."""
    command = [str(KUBECTL), "kustomize", str(folder / overlay)]
    rendered = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    documents = list(yaml.safe_load_all(rendered))
    by_kind = {document["kind"]: document for document in documents}
    assert len(by_kind) == len(documents)
    return by_kind


def pod_of(deployment: dict[str, Any]) -> dict[str, Any]:
    pod: dict[str, Any] = deployment["spec"]["template"]["spec"]
    return pod


def container_of(pod: dict[str, Any]) -> dict[str, Any]:
    (container,) = pod["containers"]
    found: dict[str, Any] = container
    return found


def kserve_pod() -> dict[str, Any]:
    """The predictor without what is KServe's own: a pod's specification."""
    own = {"minReplicas", "maxReplicas", "timeout"}
    return {name: value for name, value in KSERVE["spec"]["predictor"].items() if name not in own}


def quantity(text: str) -> int:
    """Bytes."""
    return int(text[:-2]) * UNITS[text[-2:]]
