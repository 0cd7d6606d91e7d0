"""The manifests are what Kubernetes' API takes, and say of the service what it is.

No cluster is asked: kubectl renders, and kubernetes-validate has the API's schemas. What only a cluster can tell,
whether pods start there and policies hold, is not known by this.
"""

import re
import shutil
from pathlib import Path
from typing import Any

import httpx
import kubernetes_validate
import pytest
import yaml

from service.settings import PREFIX, Settings
from tests.container import compose
from tests.container.test_compose import PREPARER, SUPERVISOR_AND_MODELS, WORKER, most_bytes
from tests.deploy.manifests import (
    KSERVE,
    KUBECTL,
    KUBERNETES,
    OVERLAYS,
    WHY_SKIPPED,
    container_of,
    kserve_pod,
    pod_of,
    quantity,
    render,
)
from tests.harness import ROOT, metric

# The oldest that has all that is used, and the newest that the package knows.
VERSIONS = ("1.30", "1.37")
DOCKERFILE = (ROOT / "deploy/Dockerfile").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()
SETTINGS = Settings()
CUDA_BYTES = 3_000_000_000

pytestmark = pytest.mark.skipif(not KUBECTL, reason=WHY_SKIPPED)


@pytest.fixture(scope="module", params=OVERLAYS)
def rendered(request: pytest.FixtureRequest) -> dict[str, dict[str, Any]]:
    return render(request.param)


@pytest.fixture(scope="module", params=[*OVERLAYS, "kserve"])
def pod(request: pytest.FixtureRequest) -> dict[str, Any]:
    return kserve_pod() if request.param == "kserve" else pod_of(render(request.param)["Deployment"])


def as_pod(specification: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "numeral"}, "spec": specification}


@pytest.mark.parametrize("version", VERSIONS)
def test_each_document_is_what_the_api_takes(rendered: dict[str, dict[str, Any]], version: str) -> None:
    for document in rendered.values():
        kubernetes_validate.validate(document, version, strict=True)


@pytest.mark.parametrize("version", VERSIONS)
def test_kserves_pod_is_what_the_api_takes(version: str) -> None:
    """Of KServe's own fields tests/test_clients.py asks KServe's package: `make client-test`."""
    kubernetes_validate.validate(as_pod(kserve_pod()), version, strict=True)


@pytest.mark.parametrize("wrong", [{"readOnlyRootFileSystem": True}, {"runAsUser": "root"}])
def test_what_the_api_does_not_take_is_found(wrong: dict[str, Any]) -> None:
    specification = {**kserve_pod(), "securityContext": wrong}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(as_pod(specification), VERSIONS[-1], strict=True)


def test_the_image_is_the_one_that_make_builds(pod: dict[str, Any]) -> None:
    assert f"--tag {container_of(pod)['image']} ." in MAKEFILE


def test_the_user_and_the_port_are_those_of_the_image(pod: dict[str, Any]) -> None:
    (user,) = re.findall(r"^USER (\d+):(\d+)$", DOCKERFILE, re.MULTILINE)
    (port,) = re.findall(r"^EXPOSE (\d+)$", DOCKERFILE, re.MULTILINE)
    given = pod["securityContext"]
    assert (str(given["runAsUser"]), str(given["runAsGroup"])) == user
    (exposed,) = container_of(pod)["ports"]
    assert exposed["containerPort"] == int(port)


def test_it_has_no_rights(pod: dict[str, Any]) -> None:
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container_of(pod)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": compose.SERVICE["cap_drop"]},
    }
    assert pod["automountServiceAccountToken"] is False


def test_it_writes_where_compose_lets_it(pod: dict[str, Any]) -> None:
    (volume,) = pod["volumes"]
    (mount,) = container_of(pod)["volumeMounts"]
    (tmpfs,) = compose.SERVICE["tmpfs"]
    path, size = re.fullmatch(r"([^:]+):.*size=(\d+)m", tmpfs).groups()  # type: ignore[union-attr]
    assert (mount["name"], mount["mountPath"]) == (volume["name"], path)
    assert volume["emptyDir"] == {"medium": "Memory", "sizeLimit": f"{size}Mi"}


def test_no_variable_of_the_cluster_is_taken_for_a_setting(pod: dict[str, Any]) -> None:
    """A service called numeral would be NUMERAL_PORT and more in each container."""
    assert pod["enableServiceLinks"] is False
    names = {given["name"] for given in container_of(pod).get("env", [])}
    known = {f"{PREFIX}{name}".upper() for name in Settings.model_fields}
    assert names <= known | {"PROTOCOL"}


def test_the_probes_ask_what_the_service_answers(pod: dict[str, Any], server: str) -> None:
    container = container_of(pod)
    (port,) = container["ports"]
    for name in ("startupProbe", "readinessProbe", "livenessProbe"):
        asked = container[name]["httpGet"]
        assert asked["port"] in (port.get("name"), port["containerPort"])
        answer = httpx.get(server + asked["path"])
        assert (answer.status_code, answer.history) == (200, [])


def test_no_probe_ends_a_service_for_its_load(pod: dict[str, Any]) -> None:
    live = container_of(pod)["livenessProbe"]
    assert 1000 * live["periodSeconds"] * live["failureThreshold"] > SETTINGS.read_timeout_ms + SETTINGS.deadline_ms


def test_a_request_that_has_begun_is_answered_before_the_end(pod: dict[str, Any]) -> None:
    command, seconds = container_of(pod)["lifecycle"]["preStop"]["exec"]["command"]
    assert command == "sleep"
    grace = pod["terminationGracePeriodSeconds"] - int(seconds)
    assert grace * 1000 > SETTINGS.read_timeout_ms + SETTINGS.deadline_ms


def test_the_memory_is_enough_for_all_that_may_be_in_work_at_once(pod: dict[str, Any]) -> None:
    """As compose's. There is a worker for each processor, or for the GPU one with a process for pictures for each."""
    resources = container_of(pod)["resources"]
    cores = int(resources["limits"]["cpu"])
    on_gpu = "nvidia.com/gpu" in resources["limits"]
    workers, beside = (1, CUDA_BYTES) if on_gpu else (cores, 0)
    assert quantity(resources["limits"]["memory"]) > most_bytes(workers, cores) + beside
    at_rest = workers * WORKER + cores * PREPARER + SUPERVISOR_AND_MODELS
    assert at_rest < quantity(resources["requests"]["memory"]) <= quantity(resources["limits"]["memory"])
    assert resources["requests"]["cpu"] == resources["limits"]["cpu"]


def test_the_parts_find_each_other(rendered: dict[str, dict[str, Any]]) -> None:
    template = rendered["Deployment"]["spec"]["template"]
    labels, (port,) = template["metadata"]["labels"], container_of(template["spec"])["ports"]
    policy, service = rendered["NetworkPolicy"]["spec"], rendered["Service"]["spec"]
    selectors = [rendered[kind]["spec"]["selector"]["matchLabels"] for kind in ("Deployment", "PodDisruptionBudget")]
    spread = [one["labelSelector"]["matchLabels"] for one in template["spec"]["topologySpreadConstraints"]]
    assert all(each == labels for each in (*selectors, *spread, service["selector"]))
    # An empty one would shut the pods of others in.
    assert policy["podSelector"]["matchLabels"] == labels
    assert {service["ports"][0]["targetPort"], policy["ingress"][0]["ports"][0]["port"]} == {port["name"]}
    annotations = template["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == str(port["containerPort"])


def test_what_one_pod_alone_holds_up_nothing(rendered: dict[str, dict[str, Any]]) -> None:
    """With a budget of none, one replica would keep its node from ever being drained."""
    assert rendered["PodDisruptionBudget"]["spec"]["maxUnavailable"] == 1


def test_the_autoscaler_goes_by_a_series_that_the_service_has(server: str) -> None:
    documents = render("overlays/autoscaled")
    (goes_by,) = documents["HorizontalPodAutoscaler"]["spec"]["metrics"]
    name = goes_by["pods"]["metric"]["name"]
    assert re.search(rf"^{name}{{worker=", httpx.get(f"{server}/metrics").text, re.MULTILINE)
    (rule,) = yaml.safe_load((KUBERNETES / "overlays/autoscaled/prometheus-adapter.yaml").read_text())["rules"][
        "custom"
    ]
    assert rule["seriesQuery"].startswith(f"{name}{{")
    assert "replicas" not in documents["Deployment"]["spec"]


def test_the_autoscaler_acts_long_before_requests_are_refused(server: str) -> None:
    documents = render("overlays/autoscaled")
    (goes_by,) = documents["HorizontalPodAutoscaler"]["spec"]["metrics"]
    workers = int(container_of(pod_of(documents["Deployment"]))["resources"]["limits"]["cpu"])
    refused_from = workers * metric(httpx.get(f"{server}/metrics").text, "numeral_images_in_work_limit")
    assert int(goes_by["pods"]["target"]["averageValue"]) < refused_from / 10


def test_kserve_runs_what_the_deployment_runs() -> None:
    base, kserve = pod_of(render("base")["Deployment"]), kserve_pod()
    assert {**kserve, "containers": []} == {
        **{name: value for name, value in base.items() if name != "topologySpreadConstraints"},
        "containers": [],
    }
    own = {"name", "env", "ports", "startupProbe", "readinessProbe", "livenessProbe"}
    ours, theirs = container_of(base), container_of(kserve)
    assert {name: ours[name] for name in ours.keys() - own} == {name: theirs[name] for name in theirs.keys() - own}
    for name in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert {**ours[name], "httpGet": 0} == {**theirs[name], "httpGet": 0}
    timeout = KSERVE["spec"]["predictor"]["timeout"]
    assert timeout * 1000 > SETTINGS.read_timeout_ms + SETTINGS.deadline_ms


def test_kserve_asks_by_the_protocol_that_is_spoken(server: str) -> None:
    (protocol,) = (given for given in container_of(kserve_pod())["env"] if given["name"] == "PROTOCOL")
    assert httpx.get(f"{server}/{protocol['value']}").json()["name"] == "numeral"


def test_an_overlay_of_ones_own_chooses_the_image_and_settings(tmp_path: Path) -> None:
    """As docs/scale.md shows it."""
    shutil.copytree(KUBERNETES, tmp_path / "kubernetes")
    (shown,) = re.findall(r"^```yaml\n(.*?)^```", (ROOT / "docs/scale.md").read_text(), re.MULTILINE | re.DOTALL)
    (tmp_path / "kubernetes/overlays/mine").mkdir()
    (tmp_path / "kubernetes/overlays/mine/kustomization.yaml").write_text(shown)
    (tmp_path / "kubernetes/overlays/mine/keys.txt").write_text("a-key-of-twenty-signs\n")
    rendered = render("overlays/mine", tmp_path / "kubernetes")
    for document in rendered.values():
        kubernetes_validate.validate(document, VERSIONS[-1], strict=True)
    container = container_of(pod_of(rendered["Deployment"]))
    assert container["image"] == "registry.example/numeral:0.1.0"
    (given,) = container["env"]
    assert given["name"] in {f"{PREFIX}{name}".upper() for name in Settings.model_fields}
    mounted = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert str(Path(given["value"]).parent) in mounted
    assert len(mounted) == 2
    assert rendered["Secret"]["metadata"]["name"] in str(pod_of(rendered["Deployment"])["volumes"])
