"""The page's files are served with their types and a policy, anew only where they changed, and no others are."""

from pathlib import Path

import httpx
import pytest

from service.web.pages import PAGE
from tests.harness import ROOT, assert_problem

FILES = [path.relative_to(PAGE).as_posix() for path in sorted(PAGE.rglob("*")) if path.is_file()]
TYPES = {".html": "html", ".css": "css", ".js": "javascript", ".svg": "svg", ".png": "png"}


@pytest.mark.parametrize("name", FILES)
def test_each_file_has_its_type_and_the_policy(client: httpx.Client, name: str) -> None:
    response = client.get(f"/page/{name}")
    assert response.content == (PAGE / name).read_bytes()
    assert TYPES[Path(name).suffix] in response.headers["content-type"]
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert response.headers["x-content-type-options"] == "nosniff"
    unchanged = client.get(f"/page/{name}", headers={"If-None-Match": response.headers["etag"]})
    assert (unchanged.status_code, unchanged.content) == (304, b"")


def test_the_page_names_no_other_host_and_runs_nothing_of_its_own(client: httpx.Client) -> None:
    page = client.get("/").text
    assert "http" not in page
    assert "style=" not in page
    assert "<script>" not in page
    policy = client.get("/").headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "camera=(self), microphone=()" in client.get("/").headers["permissions-policy"]


@pytest.mark.parametrize(
    "path", ["/page/none.js", "/page/../pages.py", "/page/%2e%2e/pages.py", "/page/..%2fpages.py", "/page//etc/passwd"]
)
def test_no_other_file_is_served(client: httpx.Client, path: str) -> None:
    response = client.get(path)
    assert_problem(response, 404, "there is nothing at")
    assert "def pages" not in response.text


def test_examples_are_small() -> None:
    assert sum(path.stat().st_size for path in (PAGE / "examples").iterdir()) < 10_000
    assert sum((PAGE / name).stat().st_size for name in FILES) < 60_000


def test_the_picture_of_the_page_is_small_and_in_the_readme() -> None:
    assert (ROOT / "docs/page.png").stat().st_size <= 150_000
    assert "](docs/page.png)" in (ROOT / "README.md").read_text()
