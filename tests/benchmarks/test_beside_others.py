"""docs/beside-others.md repeats figures of benchmarks/README.md, and has no others."""

import re

from tests.harness import ROOT

FIGURE = re.compile(r"\d,?\d+ \(\d+(?:\.\d)?\)|–")
NAMES = {"this service": "numeral"}


def figures(document: str) -> dict[str, list[str]]:
    """int8 and fp32, by server."""
    rows = re.findall(r"^ *\| ([\w' -]+) \| (\S+(?: \S+)?) \| (\S+ \S+) \|", document, flags=re.MULTILINE)
    return {NAMES.get(name, name): [int8, fp32] for name, int8, fp32 in rows if FIGURE.fullmatch(int8)}


def test_the_figures_are_those_that_were_measured() -> None:
    serving, _ = (ROOT / "benchmarks/README.md").read_text().split("- `uploads`:")
    measured = figures(serving)
    told = figures((ROOT / "docs/beside-others.md").read_text())
    assert len(told) == 8
    assert told == {name: measured[name] for name in told}


def test_those_in_the_text_too() -> None:
    measured = (ROOT / "benchmarks/README.md").read_text()
    text = (ROOT / "docs/beside-others.md").read_text().split("What to know")[1]
    numbers = re.findall(r"\d+,\d{3}(?: \(\d+(?:\.\d)?\))?", text)
    assert len(numbers) == 4
    assert [number for number in numbers if number not in measured] == []
