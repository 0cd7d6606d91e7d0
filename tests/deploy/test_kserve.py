"""The InferenceService is one by the types of KServe's package: `make client-test`."""

import copy
import json
import os
import subprocess
from typing import Any

import pytest

from tests.deploy.manifests import KSERVE
from tests.harness import ROOT

# Where KServe's package is installed.
KSERVE_PYTHON = os.environ.get("KSERVE_PYTHON")

pytestmark = pytest.mark.skipif(
    not KSERVE_PYTHON, reason="no environment with KServe's types: `make client-test` makes one"
)


def asked(manifest: dict[str, Any]) -> tuple[int, str]:
    command = [str(KSERVE_PYTHON), str(ROOT / "tests/deploy/kserve_manifest.py")]
    done = subprocess.run(command, input=json.dumps(manifest), capture_output=True, text=True, check=False)
    return done.returncode, (done.stdout + done.stderr).strip()


def test_it_is_what_kserve_takes() -> None:
    assert asked(KSERVE) == (0, "kserve-container")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"minReplica": 2}, "manifest.spec.predictor has minReplica"),
        ({"timeout": "40s"}, "manifest.spec.predictor.timeout is '40s'; allowed: int"),
        ({"containers": [{"image": "numeral:cpu"}]}, "manifest.spec.predictor.containers[0]: "),
        (
            {"containers": [{"name": "a", "securityContext": {"readOnly": True}}]},
            "manifest.spec.predictor.containers[0].securityContext has readOnly",
        ),
    ],
)
def test_what_kserve_does_not_take_is_found(change: dict[str, Any], said: str) -> None:
    manifest = copy.deepcopy(KSERVE)
    manifest["spec"]["predictor"].update(change)
    code, found = asked(manifest)
    assert code == 1
    assert found.startswith(said), found
