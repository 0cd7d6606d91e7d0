"""/docs.json is a valid description of what is there, and true: a client made of it works."""

import re
import tomllib
from http import HTTPStatus
from typing import Any

import httpx
import pytest
from openapi_spec_validator import validate

from service.fleet.metrics import PATHS, label_of
from service.settings import Settings
from service.version import VERSION
from service.web.answer import Answer
from service.web.open_inference import routes
from service.web.openapi.responses import MEANS
from service.web.openapi.schemas import Model, Problem, Stats
from tests.harness import ROOT, Digits, png

METHODS = ("get", "post", "put")


@pytest.fixture
def document(client: httpx.Client) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/docs.json").raise_for_status().json()
    return found


def test_it_is_valid_and_of_this_service(document: dict[str, Any]) -> None:
    validate(document)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert document["info"]["title"] == project["name"]
    assert document["info"]["version"] == project["version"] == VERSION


def test_it_has_every_address_and_no_other(document: dict[str, Any]) -> None:
    described = set(document["paths"])
    # BentoML's own, for its client.
    assert {label_of(path) for path in described - {"/classify/{name}"}} == set(PATHS) - {"/schema.json"}
    assert {route.path for route in routes.routes()} <= described


def test_what_it_allows_is_what_the_settings_and_models_are(client: httpx.Client, document: dict[str, Any]) -> None:
    operation = document["paths"]["/classify"]["post"]
    model, explain = operation["parameters"]
    assert model["schema"] == {"type": "string", "enum": sorted(client.get("/models").json()), "default": "googlenet"}
    assert explain["schema"]["enum"] == ["0", "1", "false", "true"]
    form = operation["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert form["properties"]["image"]["maxItems"] == Settings.model_fields["max_files"].default


def test_every_status_of_the_table_is_explained_and_documented(document: dict[str, Any]) -> None:
    api = (ROOT / "docs/api.md").read_text()
    table = {int(status) for row in re.findall(r"^\| ([\d, ]+) \|", api, re.MULTILINE) for status in row.split(",")}
    assert set(MEANS) == table
    # Its address is there, and the method is the operation's own.
    expected = {str(status) for status in {HTTPStatus.OK, *table} - {405}}
    assert set(document["paths"]["/feedback"]["post"]["responses"]) == expected
    assert set(document["paths"]["/classify"]["post"]["responses"]) == expected - {"403", "404", "507"}


def test_answers_are_of_the_types_that_it_names(client: httpx.Client, digits: Digits) -> None:
    Answer.model_validate(client.post("/classify", params={"explain": 1}, content=png(digits.pick(1))).json())
    Problem.model_validate(client.post("/classify", content=b"x").json())
    Problem.model_validate(client.get("/v2/models/x").json())
    Stats.model_validate(client.get("/stats").json())
    for model in client.get("/models").json().values():
        Model.model_validate(model)


def test_every_operation_has_a_name_of_its_own(document: dict[str, Any]) -> None:
    operations = [path[method] for path in document["paths"].values() for method in METHODS if method in path]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)


def test_the_page_loads_nothing_from_elsewhere(client: httpx.Client) -> None:
    page = client.get("/docs")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "//" not in page.text
    for asset in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        assert client.get(f"/{asset}").is_success, asset
