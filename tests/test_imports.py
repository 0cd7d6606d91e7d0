"""The rules between the rooms: who may know of whom. `service` and `training` share the artefact's folder, and what
makes a network's input of a picture. `numeral` reads with what the service reads with; nothing knows of it."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import ROOT

# By room, what a module in it may import of this project; a room may always import itself.
MAY_IMPORT = {
    # What runs networks is an exception of its own: finding the ink takes one.
    "service.picture": ["service.runtime"],
    "service.fleet": ["service.picture", "service.runtime", "service.settings", "service.errors"],
    "service.model": ["service.fleet", "service.picture", "service.runtime", "service.settings", "service.errors"],
    "service.web": [
        "service.model",
        "service.fleet",
        "service.picture",
        "service.settings",
        "service.errors",
        "service.version",
    ],
    "service": ["service"],
    "numeral": [
        "service.model",
        "service.fleet",
        "service.picture",
        "service.replay",
        "service.settings",
        "service.errors",
    ],
    "deploy": ["service.model", "service.errors"],
    "training": ["training", "service.picture"],
    "benchmarks": ["benchmarks", "service", "training", "tests"],
    "proofs": ["service.fleet", "service.picture", "service.settings", "tests"],
}

ROOMS = ("numeral", "service", "deploy", "training", "benchmarks", "proofs", "tests")


def modules(room: str) -> Iterator[Path]:
    return (ROOT / room.replace(".", "/")).rglob("*.py")


def room_of(module: str) -> str:
    """The innermost of `MAY_IMPORT` that holds it."""
    return max((room for room in MAY_IMPORT if is_in(module, room)), key=len)


def is_in(module: str, room: str) -> bool:
    return module == room or module.startswith(f"{room}.")


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path) -> set[str]:
    """All modules that are named by an import, within functions too."""
    named = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            named |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            named |= {
                f"{node.module}.{alias.name}" if is_module(f"{node.module}.{alias.name}") else node.module
                for alias in node.names
            }
    return named


def is_module(name: str) -> bool:
    path = ROOT / name.replace(".", "/")
    return path.with_suffix(".py").is_file() or path.is_dir()


def ours(names: set[str]) -> set[str]:
    return {name for name in names if name.split(".")[0] in ROOMS}


def broken(room: str, allowed: list[str]) -> list[str]:
    return [
        f"{name_of(path)} imports {name}"
        for path in modules(room)
        if room_of(name_of(path)) == room
        for name in sorted(ours(imports(path)))
        if not any(is_in(name, each) for each in [room, *allowed])
    ]


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_what_it_may_and_nothing_else(room: str) -> None:
    assert not broken(room, MAY_IMPORT[room])


def test_this_test_can_fail() -> None:
    assert "service.model.batcher imports service.fleet.metrics" in broken("service.model", [])
    assert "training.data.dataset imports service.picture.prepare" in broken("training", ["training"])


def imported(names: str) -> set[str]:
    """The packages and the service's modules that a fresh process holds after importing `names`."""
    code = f"import sys, {', '.join(names.split())}; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    found = result.stdout.split()
    return {name.split(".")[0] for name in found} | {name for name in found if name.startswith("service.")}


def assert_apart(names: str, forbidden: set[str]) -> None:
    found = imported(names) & forbidden
    assert not found, f"{names} imports {', '.join(sorted(found))}"


def test_the_service_imports_no_torch_and_no_training() -> None:
    everything = " ".join(name_of(path) for path in modules("service"))
    assert_apart(everything, {"torch", "torchvision", "onnx", "training", "scipy", "matplotlib"})


def test_a_supervisor_does_not_load_onnx_runtime() -> None:
    assert_apart("service.app", {"onnxruntime"})


def test_an_answer_is_replayed_without_the_web() -> None:
    assert_apart("service.replay", {"bentoml", "starlette", "uvicorn", "training", "torch"})


def test_training_loads_no_bentoml_and_of_the_service_only_the_pictures() -> None:
    found = imported("training.train training.evaluate training.judge.uploads training.export training.ink_finder")
    assert "bentoml" not in found
    others = {name for name in found if name.startswith("service.") and not is_in(name, "service.picture")}
    assert others == {"service.runtime"}


def test_a_library_user_waits_for_no_web_server() -> None:
    assert_apart(
        "numeral.reader numeral.worker numeral.remote", {"bentoml", "starlette", "uvicorn", "torch", "training"}
    )


def test_pictures_are_read_without_the_web_the_models_and_the_settings() -> None:
    forbidden = {"pillow_heif", "bentoml", "onnxruntime", "starlette", "uvicorn", "pydantic", "torch", "scipy"}
    assert_apart(" ".join(name_of(path) for path in modules("service.picture")), forbidden)


def test_these_tests_can_fail() -> None:
    with pytest.raises(AssertionError, match=r"training\.artefact\.graph imports torch, training"):
        assert_apart("training.artefact.graph", {"torch", "training", "bentoml"})
