"""`bentoml build` packs what serving needs and nothing else, with the versions that are tested; and that serves."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.harness import BENTOML, ROOT, serving


@pytest.fixture(scope="module")
def bento(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a new one, in a store where `bentoml` finds it."""
    home = tmp_path_factory.mktemp("bentoml")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENTOML_HOME", str(home))
        patch.setenv("BENTOML_DO_NOT_TRACK", "True")
        # A build that asked an index for versions would ask one that is not there.
        environment = {**os.environ, "UV_DEFAULT_INDEX": "http://127.0.0.1:9/"}
        command = [str(BENTOML), "build", "--output", "tag"]
        subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
        (described,) = home.glob("bentos/numeral/*/bento.yaml")
        yield described.parent


def test_it_holds_only_what_serving_needs(bento: Path) -> None:
    source = bento / "src"
    files = {path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()}
    expected = {path.relative_to(ROOT).as_posix() for path in (ROOT / "service").rglob("*.py")}
    for model in ("googlenet", "alexnet"):
        names = ("model.onnx", "model.int8.onnx", "metadata.json")
        expected |= {f"exported/{model}/{name}" for name in names}
    expected |= {path.relative_to(ROOT).as_posix() for path in (ROOT / "service/web/page").rglob("*") if path.is_file()}
    expected |= {
        "service/web/openapi/swagger.html",
        "service/picture/ink_finder.onnx",
        "service/model/known_digits.png",
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "bentofile.yaml",
    }
    assert files == expected


def test_its_packages_are_those_of_the_list(bento: Path) -> None:
    """The same versions and hashes; the line that BentoML adds for itself says nothing else."""

    def pins(path: Path) -> set[str]:
        return set(re.findall(r"^[a-z0-9-]+==[\w.]+", path.read_text(), flags=re.MULTILINE))

    def hashes(path: Path) -> list[str]:
        return re.findall(r"--hash=sha256:\w+", path.read_text())

    packed, listed = bento / "env/python/requirements.txt", ROOT / "requirements/cpu.txt"
    assert pins(packed) == pins(listed)
    assert hashes(packed) == hashes(listed)
    assert "index" not in packed.read_text()


def test_it_serves_from_anywhere(bento: Path, tmp_path: Path) -> None:
    """From its own files, and not from those that lie here: they show in what it answers."""
    with (bento / "src/service/web/page/index.html").open("a") as page:
        page.write("<!-- packed -->")
    image = (ROOT / "digit.png").read_bytes()
    with serving(tmp_path / "log", f"numeral:{bento.name}", tmp_path, provider="cpu") as url:
        assert httpx.post(f"{url}/classify", content=image, timeout=30).json()["digit"] == 2
        assert httpx.get(url).text.endswith("<!-- packed -->")
