"""docs/operate.md names what there is, and nothing else: series with their labels, alerts, fields of the log."""

import re
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from service.web.access_log import about_image, about_images, line_of
from tests.harness import ROOT

DOCS = (ROOT / "docs/operate.md").read_text()


def rows(section: str) -> list[list[str]]:
    """The cells of the table in it."""
    text = DOCS.split(f"## {section}\n")[1].split("\n## ")[0]
    return [re.split(r"\s*\|\s*", line.strip("| ")) for line in text.splitlines() if line.startswith("| `")]


def names(cell: str) -> list[str]:
    return re.findall(r"`(\w+)`", cell)


@pytest.fixture(scope="module")
def exposed(server: str) -> dict[str, set[str]]:
    """The labels of each series, a histogram's by its own name."""
    httpx.get(f"{server}/models")
    families = text_string_to_metric_families(httpx.get(f"{server}/metrics").text)
    found: dict[str, set[str]] = {}
    for family in families:
        for sample in family.samples:
            name = re.sub(r"_(bucket|sum|count)$", "", sample.name) if family.type == "histogram" else sample.name
            found.setdefault(name, set()).update(set(sample.labels) - {"le"})
    return found


def test_every_series_is_in_the_table_and_no_other(exposed: dict[str, set[str]]) -> None:
    in_table = {name for row in rows("Metrics") for name in names(row[0])}
    # It is shown once there is one.
    assert in_table == {name for name in exposed if name.startswith("numeral_")} | {"numeral_broken_requests_total"}
    assert set(re.findall(r"`(nv_\w+)`", DOCS)) == {name for name in exposed if name.startswith("nv_")}


def test_with_the_labels_that_it_has(exposed: dict[str, set[str]]) -> None:
    for cells in rows("Metrics"):
        said = {label.strip() for label in re.split("[,;]", cells[1])} - {"", "none"}
        has = {label for name in names(cells[0]) for label in exposed.get(name, {"status"})}
        assert said == has, cells[0]


def test_every_alert_says_what_to_do_and_none_is_made_up() -> None:
    groups = yaml.safe_load((ROOT / "deploy/prometheus/numeral.rules.yml").read_text())["groups"]
    alerts = [rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule]
    assert [names(row[0])[0] for row in rows("Prometheus and Grafana")] == alerts


def test_every_field_of_the_log_is_in_the_table_and_no_other() -> None:
    scope: dict[str, Any] = {"method": "GET", "path": "/", "raw_path": b"/", "headers": [], "client": None}
    body = {"digit": 1, "confidence": 1.0, "reason": None}
    fields = {*line_of(scope, "x", 200, 0, 0.1), *about_images(0, [], {}), *about_image(body), "model", "label"}
    assert {name for row in rows("Which request") for name in names(row[0])} == fields
