"""Each link from one document to another file of the repository leads there, to its heading too."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import ROOT

CODE = re.compile(r"^```.*?^```|`[^`\n]*`", flags=re.MULTILINE | re.DOTALL)


def documents() -> list[str]:
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"]
    return subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()


def links(text: str) -> Iterator[tuple[str, str]]:
    """File and heading of each that stays within the repository; a link may break over two lines."""
    for target in re.findall(r"\]\(([^)\s]+)\)", CODE.sub("`…`", text)):
        if "://" not in target and not target.startswith("mailto:"):
            file, _, heading = target.partition("#")
            yield file, heading


def anchors(path: Path) -> set[str]:
    """Of a document's headings, as GitHub makes them."""
    headings = re.findall(
        r"^#+ (.*)", re.sub(r"^```.*?^```", "", path.read_text(), flags=re.MULTILINE | re.DOTALL), re.M
    )
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(document: Path) -> list[str]:
    found = []
    for file, heading in links(document.read_text()):
        target = (document.parent / file).resolve() if file else document
        if not target.exists() or (heading and heading not in anchors(target)):
            found.append(f"{file}#{heading}" if heading else file)
    return found


@pytest.mark.parametrize("name", documents())
def test_links_lead_somewhere(name: str) -> None:
    assert broken(ROOT / name) == []


def test_one_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# A `head`, and more\n[a](#a-head-and-more) [b](#b) [c](c.md) ![d](page.md)\n```\n[e](e.md)\n```\n"
    )
    assert broken(page) == ["#b", "c.md"]


def test_every_document_is_in_the_readmes_list() -> None:
    listed = {file for file, _ in links((ROOT / "README.md").read_text())}
    assert {name for name in documents() if name.startswith("docs/")} <= listed
