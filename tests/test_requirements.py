"""The lists that machines, the bento and the images install from: complete, one with pyproject.toml and each other."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import requires
from itertools import combinations

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from service.version import VERSION
from tests.harness import ROOT

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
DEPENDENCIES = PYPROJECT["project"]["dependencies"]
EXTRAS = PYPROJECT["project"]["optional-dependencies"]
ASKED = {
    "build": PYPROJECT["build-system"]["requires"],
    "cpu": DEPENDENCIES + EXTRAS["cpu"],
    "gpu": DEPENDENCIES + EXTRAS["gpu"],
    "dev": DEPENDENCIES + EXTRAS["cpu"] + EXTRAS["train"] + EXTRAS["dev"],
}
# As in "torch==2.14.1 ; sys_platform == 'linux' --hash=sha256:…".
PIN = re.compile(
    r"(?P<name>[a-z0-9]+(-[a-z0-9]+)*)==(?P<version>[\w.!+]+)( ; (?P<marker>[^\\]+?))?( --hash=sha256:[0-9a-f]{64})+"
)


@dataclass(frozen=True)
class Pin:
    version: Version
    marker: str


def logical_lines(text: str) -> list[str]:
    """Each requirement on one line, without comments."""
    text = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE)
    return [line for line in re.sub(r" *\\\n *", " ", text).splitlines() if line]


def read_pins(name: str) -> dict[str, Pin]:
    """By name. Raises AssertionError where a line is anything but a pin with hashes: no option, no URL, no path."""
    pins: dict[str, Pin] = {}
    for line in logical_lines((ROOT / f"requirements/{name}.txt").read_text()):
        pin = PIN.fullmatch(line)
        assert pin, f"{name}.txt: {line}"
        assert pin["name"] not in pins, f"{name}.txt: {pin['name']} twice"
        pins[pin["name"]] = Pin(Version(pin["version"]), pin["marker"] or "")
    return pins


PINS = {name: read_pins(name) for name in ASKED}


def reached(asked: list[str]) -> Iterator[Requirement]:
    """The requirements, and theirs in turn, each as often as something asks for it."""
    waiting = [Requirement(text) for text in asked]
    seen = set()
    while waiting:
        requirement = waiting.pop()
        key = (requirement.name, frozenset(requirement.extras))
        yield requirement
        # Where tests run its CPU twin is installed; the two exclude each other.
        if key not in seen and requirement.name != "onnxruntime-gpu":
            seen.add(key)
            waiting.extend(needs(requirement))


def needs(requirement: Requirement) -> Iterator[Requirement]:
    """What its installed distribution asks for on this platform, its extras included."""
    for need in map(Requirement, requires(requirement.name) or []):
        if not need.marker or any(need.marker.evaluate({"extra": extra}) for extra in requirement.extras or {""}):
            yield need


def test_there_are_no_other_lists() -> None:
    assert {path.name for path in (ROOT / "requirements").iterdir()} == {f"{name}.txt" for name in ASKED}


@pytest.mark.parametrize("name", ASKED)
def test_a_list_says_nothing_of_where_it_was_made(name: str) -> None:
    """The lines hold pins and nothing else, or `read_pins` would have failed; the comments name no path or address."""
    assert "/" not in (ROOT / f"requirements/{name}.txt").read_text()


@pytest.mark.parametrize("name", ASKED)
def test_what_pyproject_asks_for_is_pinned_within_its_range(name: str) -> None:
    for requirement in map(Requirement, ASKED[name]):
        pin = PINS[name][canonicalize_name(requirement.name)]
        assert pin.marker == ""
        assert pin.version in requirement.specifier, f"{requirement}: {pin.version}"


@pytest.mark.parametrize("name", ASKED)
def test_a_list_is_complete(name: str) -> None:
    """`make` and the images install it without looking anything up. Followed through what is installed here."""
    for requirement in reached(ASKED[name]):
        pin = PINS[name].get(canonicalize_name(requirement.name))
        assert pin, f"{name}.txt lacks {requirement}"
        assert pin.version in requirement.specifier, f"{name}.txt has {pin.version} of {requirement}"
        assert not pin.marker or Marker(pin.marker).evaluate()


@pytest.mark.parametrize(("one", "other"), list(combinations(ASKED, 2)))
def test_two_lists_agree_on_what_is_in_both(one: str, other: str) -> None:
    shared = PINS[one].keys() & PINS[other].keys()
    assert {name: PINS[one][name].version for name in shared} == {name: PINS[other][name].version for name in shared}


def test_what_serves_has_nothing_for_training_or_building() -> None:
    for name in ("cpu", "gpu"):
        assert not PINS[name].keys() & {"torch", "onnx", "setuptools", "pip", "pytest"}


def test_the_service_says_the_version_that_is_packed() -> None:
    assert PYPROJECT["project"]["version"] == VERSION
