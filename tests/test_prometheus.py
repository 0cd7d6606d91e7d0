"""What Prometheus makes of a real server: it has every series, and rules and dashboard ask for no other.

promtool and prometheus are those of Debian's package `prometheus`; where they are missing this is skipped.
"""

import contextlib
import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import yaml

from tests.deploy.manifests import KUBERNETES
from tests.harness import ROOT, Digits, end, exchange, free_port, png, running

RULES = ROOT / "deploy/prometheus"
DASHBOARD = json.loads((ROOT / "deploy/grafana/numeral.json").read_text())

# What a name in an expression is of: `numeral_requests_total{…`. A recorded one has a colon.
METRIC = re.compile(r"\b(?:numeral|nv)_\w+")

pytestmark = pytest.mark.skipif(
    not (shutil.which("promtool") and shutil.which("prometheus")),
    reason="no promtool and prometheus here: apt-get install prometheus",
)


def promtool(*arguments: str, cwd: Path = RULES, given: str = "") -> tuple[int, str]:
    done = subprocess.run(["promtool", *arguments], cwd=cwd, input=given, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


class Asked:
    """A Prometheus, by its API."""

    def __init__(self, url: str) -> None:
        self.http = httpx.Client(base_url=url, timeout=10)

    def get(self, path: str, **query: str) -> Any:
        answer = self.http.get(f"/api/v1/{path}", params=query).json()
        assert answer["status"] == "success", answer
        return answer["data"]

    def value(self, expression: str) -> float | None:
        """Of the one series that it comes to, None where there is none."""
        result = self.get("query", query=expression)["result"]
        return float(result[0]["value"][1]) if result else None

    def until(self, expression: str, value: float) -> None:
        last = None
        for _ in range(300):
            with contextlib.suppress(httpx.TransportError):
                if self.http.get("/-/ready").is_success:
                    last = self.value(expression)
                if last == value:
                    return
            time.sleep(0.2)
        pytest.fail(f"{expression} is {last}, not {value}")


@pytest.fixture(scope="module")
def scraped(tmp_path_factory: pytest.TempPathFactory, digits: Digits) -> Iterator[tuple[str, Asked]]:
    """The exposition of a server that has been asked for this and that, and the Prometheus that scraped it."""
    folder = tmp_path_factory.mktemp("prometheus")
    with running(folder / "log", workers="2") as (url, _), prometheus(folder, url) as asked:
        ask(url, digits)
        asked.until('sum(numeral_requests_total{path="/classify"})', 9)
        yield httpx.get(f"{url}/metrics").text, asked


@contextlib.contextmanager
def prometheus(folder: Path, target: str, name: str = "prometheus.yml", **labels: str) -> Iterator[Asked]:
    """With the configuration that is shipped, but for the address and for how often it looks.

    labels: of the target, as Kubernetes would give them.
    """
    config = yaml.safe_load((RULES / name).read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(RULES / name) for name in config["rule_files"]]
    config["scrape_configs"][0].pop("kubernetes_sd_configs", None)
    config["scrape_configs"][0]["static_configs"] = [{"targets": [target.removeprefix("http://")], "labels": labels}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    listen = f"127.0.0.1:{free_port()}"
    options = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            ["prometheus", *options, f"--web.listen-address={listen}"], cwd=folder, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        asked = Asked(f"http://{listen}")
        with asked.http:
            asked.until("up", 1)
            yield asked
    finally:
        end(process)


def ask(url: str, digits: Digits) -> None:
    """Over a connection each, so that both workers are asked."""
    for label in (3, 3, 8):
        assert httpx.post(f"{url}/classify", content=png(digits.pick(label))).json()["digit"] == label
    assert httpx.post(f"{url}/classify?model=alexnet", content=png(digits.pick(5))).json()["digit"] == 5
    assert httpx.post(f"{url}/classify", content=png(np.zeros((28, 28), np.uint8))).json()["reason"].startswith("blank")
    side_by_side = np.hstack([digits.pick(1), digits.pick(1)])
    assert httpx.post(f"{url}/classify", content=png(side_by_side)).json()["reason"].startswith("several digits")
    assert httpx.post(f"{url}/classify", content=b"no picture").status_code == 415
    assert httpx.post(f"{url}/classify", content=png(digits.pick(1))[:60]).status_code == 422
    assert httpx.post(f"{url}/classify?model=none", content=b"").status_code == 400
    assert exchange(url, b"no HTTP\r\n\r\n")[0][0] == 400


def test_the_autoscaler_is_told_the_work_of_a_pod(tmp_path: Path, server: str) -> None:
    """By the configuration for Kubernetes, with its labels given to a target by hand, and the adapter's own query.

    Debian's Prometheus finds no pods itself.
    """
    pod = {"namespace": "n", "pod_name": "a", "pod_label_app_kubernetes_io_name": "numeral"}
    labels = {f"__meta_kubernetes_{name}": value for name, value in pod.items()}
    labels["__meta_kubernetes_pod_container_port_name"] = "http"
    adapter = yaml.safe_load((KUBERNETES / "overlays/autoscaled/prometheus-adapter.yaml").read_text())
    (rule,) = adapter["rules"]["custom"]
    given = {"Series": "numeral_images_in_work", "GroupBy": "pod", "LabelMatchers": 'namespace="n",pod=~"a"'}
    query = re.sub(r"<<\.(\w+)>>", lambda found: given[found[1]], rule["metricsQuery"])
    with prometheus(tmp_path, server, "kubernetes.yml", **labels) as asked:
        asked.until(query, 0)
        (found,) = asked.get("query", query=query)["result"]
        assert found["metric"] == {"pod": "a"}
        assert asked.value(f"count({rule['seriesQuery']})") == httpx.get(f"{server}/stats").json()["workers"]


def test_rules_and_configuration_are_right() -> None:
    for what in (("check", "config", "prometheus.yml"), ("check", "rules", "numeral.rules.yml")):
        code, said = promtool(*what)
        assert code == 0, said


def test_each_alert_fires_when_it_should_and_not_before() -> None:
    code, said = promtool("test", "rules", "numeral.rules.test.yml")
    assert code == 0, said
    tried = {
        case["alertname"]
        for test in yaml.safe_load((RULES / "numeral.rules.test.yml").read_text())["tests"]
        for case in test["alert_rule_test"]
        if case["exp_alerts"]
    }
    assert tried == alerts()


def alerts() -> set[str]:
    return {rule["alert"] for rule in rules() if "alert" in rule}


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((RULES / "numeral.rules.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def test_the_tests_of_the_alerts_can_fail(tmp_path: Path) -> None:
    shutil.copytree(RULES, tmp_path / "rules")
    path = tmp_path / "rules/numeral.rules.yml"
    path.write_text(path.read_text().replace("> 0.05", "> 0.5"))
    code, said = promtool("test", "rules", "numeral.rules.test.yml", cwd=tmp_path / "rules")
    assert code == 1
    assert "NumeralTurnedAway" in said


def test_names_are_as_prometheus_would_have_them_but_for_triton_s(scraped: tuple[str, Asked]) -> None:
    _, said = promtool("check", "metrics", given=scraped[0])
    assert {line.split(" ")[0].split("_")[0] for line in said.splitlines()} <= {"nv"}, said


def test_every_series_is_in_prometheus(scraped: tuple[str, Asked]) -> None:
    exposition, asked = scraped
    shown = set(re.findall(r"^(\w+)[{ ]", exposition, re.MULTILINE))
    assert shown <= set(asked.get("label/__name__/values"))
    target = asked.get("targets")["activeTargets"][0]
    assert (target["health"], target["lastError"]) == ("up", "")


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ('numeral_requests_total{path="/classify",status="200"}', 6),
        ('numeral_requests_total{path="/classify",status="422"}', 1),
        ('numeral_model_requests_total{model="googlenet",outcome="success"}', 5),
        ('numeral_model_requests_total{model="googlenet",outcome="failure"}', 2),
        ('numeral_answers_total{model="googlenet",label="3"}', 2),
        ('numeral_answers_total{model="alexnet",label="5"}', 1),
        ("sum(numeral_answers_total)", 4),
        ('numeral_refusals_total{model="googlenet",reason="blank"}', 1),
        ('numeral_refusals_total{model="googlenet",reason="several digits"}', 1),
        ('sum(numeral_refusals_total{reason="other"})', 0),
        ('numeral_images_total{model="googlenet",outcome="error"}', 2),
        ('numeral_confidence_ratio_count{model="googlenet"}', 3),
        ('nv_inference_request_success{model="googlenet",version="1"}', 5),
        ('nv_inference_request_failure{model="googlenet",version="1"}', 2),
        ('nv_inference_count{model="alexnet",version="1"}', 1),
        ('nv_inference_exec_count{model="alexnet",version="1"}', 1),
        ('numeral_broken_requests_total{status="400"}', 1),
        ("numeral_workers", 2),
        ("numeral_workers_wanted", 2),
        ("sum(numeral_worker_restarts_total)", 0),
        ("sum(numeral_images_in_work)", 0),
        ("sum(numeral_upload_bytes)", 0),
        ("count(numeral_process_resident_memory_bytes > 50000000)", 3),
        ("count(numeral_process_cpu_seconds_total > 0)", 3),
        ('count(numeral_model_info{provider="CPUExecutionProvider"})', 2),
        ("numeral_build_info", 1),
    ],
)
def test_what_was_asked_for_is_what_prometheus_has(scraped: tuple[str, Asked], expression: str, value: float) -> None:
    assert scraped[1].value(expression) == value


def test_recorded_rules_and_alerts_are_worked_out(scraped: tuple[str, Asked]) -> None:
    evaluated = [rule for group in scraped[1].get("rules")["groups"] for rule in group["rules"]]
    assert {rule["name"] for rule in evaluated if rule["type"] == "alerting"} == alerts()
    assert {rule["health"] for rule in evaluated} == {"ok"}
    assert not [alert for alert in scraped[1].get("alerts")["alerts"] if alert["state"] == "firing"]


def test_rules_ask_for_what_there_is(scraped: tuple[str, Asked]) -> None:
    there = set(scraped[1].get("label/__name__/values"))
    asked_for = {name for rule in rules() for name in METRIC.findall(rule["expr"].replace("job_model", ""))}
    assert len(asked_for) > 10
    assert asked_for - {rule.get("record") for rule in rules()} - recorded_parts() <= there


def recorded_parts() -> set[str]:
    """Of the names that rules record, what is between the colons."""
    return {name for rule in rules() if "record" in rule for name in METRIC.findall(rule["record"])}


def panels() -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def expressions() -> list[str]:
    return [target["expr"] for panel in panels() for target in panel["targets"]]


def test_every_panel_of_the_dashboard_shows_something_that_there_is(scraped: tuple[str, Asked]) -> None:
    """Each expression is asked, with Grafana's variables filled in, and comes to a series or more."""
    _, asked = scraped
    asked.until("count(rate(numeral_broken_requests_total[1m]))", 1)  # a rate is of two looks
    there = set(asked.get("label/__name__/values"))
    for expression in expressions():
        assert METRIC.findall(expression) or "up{" in expression
        assert set(METRIC.findall(expression)) <= there, expression
        filled = re.sub(r"\$(job|instance|model)\b", ".*", expression).replace("$__rate_interval", "1m")
        assert asked.get("query", query=filled)["result"], filled


def test_the_dashboard_is_one_that_grafana_takes() -> None:
    numbers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(numbers)) == len(numbers) > 20
    variables = {variable["name"]: variable for variable in DASHBOARD["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    asked_of = [each["datasource"] for panel in panels() for each in (panel, *panel["targets"])]
    assert all(source == {"type": "prometheus", "uid": "${datasource}"} for source in asked_of)
    used = set(re.findall(r"\$(\w+)", " ".join(expressions())))
    assert used <= variables.keys() | {"__rate_interval"}


def test_no_two_panels_lie_on_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells
