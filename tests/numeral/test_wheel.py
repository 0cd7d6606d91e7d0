"""The wheel has all that reading takes, code, models and command: tried in an environment that knows no tree."""

import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from tests.harness import ROOT, copy_tree, free_port, wait_until_ready


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built of what git knows of or would take: what an earlier build has left would be in it else."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("built")
    copy_tree(source, without=("tests/", "docs/", "benchmarks/"))
    command = [
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "--wheel-dir",
        str(built),
        str(source),
    ]
    subprocess.run([sys.executable, "-m", *command], check=True, capture_output=True)
    (made,) = built.glob("numeral-*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the commands of an environment that has it, and of this one the packages, but not this tree."""
    environment = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    python = environment / "bin/python"
    command = ["pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index", str(wheel)]
    subprocess.run([sys.executable, "-m", *command], check=True, capture_output=True)
    (packages,) = environment.glob("lib/python*/site-packages")
    # Only as a path: the .pth files there, of which one leads to this tree, are not read.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return python.parent


def test_it_holds_the_models_and_nothing_that_only_training_needs_of_them(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    files = {
        f"exported/{path.name}/{file}"
        for path in (ROOT / "exported").iterdir()
        if path.is_dir()
        for file in ("metadata.json", "model.onnx", "model.int8.onnx")
    }
    assert {name for name in names if name.startswith("exported/")} == files
    code = {
        path.relative_to(ROOT).as_posix() for room in ("numeral", "service") for path in (ROOT / room).rglob("*.py")
    }
    assert code | {"service/web/page/index.html", "service/picture/ink_finder.onnx", "training/train.py"} <= names
    assert not {name for name in names if name.startswith(("tests/", "benchmarks/")) or name.endswith(".pt")}


def test_it_reads_by_command_and_library(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "digit.png").write_bytes((ROOT / "digit.png").read_bytes())
    command = [str(installed / "numeral"), "read", "digit.png", "--csv"]
    read = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert read.stdout.splitlines()[1].startswith("digit.png,2,0.99")
    code = "import numeral, service; print(numeral.read('digit.png').digit, numeral.__file__, service.__file__)"
    told = subprocess.run([installed / "python", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    digit, *homes = told.stdout.split()
    assert digit == "2"
    assert all(Path(home).is_relative_to(installed.parent) for home in homes)


def test_it_serves(installed: Path, tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "log"
    command = [str(installed / "numeral"), "serve", "--port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=tmp_path, stdout=output, stderr=subprocess.STDOUT)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until_ready(url, process, log)
        through = [str(installed / "numeral"), "read", str(ROOT / "digit.png"), "--url", url]
        read = subprocess.run(through, cwd=tmp_path, capture_output=True, text=True, check=True)
        assert read.stdout.split()[1] == "2"
    finally:
        process.terminate()
        assert process.wait(timeout=60) == 0
