"""The commands of README and of documents for users, run as a newcomer runs them: in a fresh copy of the repository."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import pytest

from service.settings import Settings
from tests.harness import ROOT, copy_tree, free_port, wait_until_ready

README = (ROOT / "README.md").read_text()
API = (ROOT / "docs/api.md").read_text()
YOUR_IMAGES = (ROOT / "docs/your-images.md").read_text()


def blocks(language: str, *documents: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", "\n".join(documents), flags=re.MULTILINE | re.DOTALL)


BLOCKS = blocks("bash", README, API, YOUR_IMAGES, (ROOT / "docs/train.md").read_text())


# Of docs/your-images.md, in the order in which they stand there.
MEASURED = ("judge.made", "--out pictures.csv", "--uploads", "--explain")


def block_with(command: str) -> str:
    found: list[str] = [block for block in BLOCKS if command in block]
    (only,) = found
    return only


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that git knows of or would take, with the environment for development already made."""
    target = tmp_path_factory.mktemp("clone")
    copy_tree(target)
    (target / ".venv-dev").symlink_to(sys.prefix, target_is_directory=True)
    return target


@pytest.fixture(scope="module")
def served_port(clone: Path) -> Iterator[int]:
    """Runs the block with `make serve`, on a free port."""
    port = free_port()
    log = clone / "serve.log"
    environment = {**os.environ, "PORT": str(port), "MAKEFLAGS": ""}
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["bash", "-ec", block_with("make serve")],
            cwd=clone,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_until_ready(f"http://127.0.0.1:{port}", process, log, seconds=600)
        yield port
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=60)


def run(block: str, clone: Path) -> str:
    result = subprocess.run(["bash", "-euo", "pipefail", "-c", block], cwd=clone, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_every_block_is_run_here() -> None:
    assert sorted(BLOCKS) == sorted(
        block_with(command)
        for command in (
            "make serve",
            "image=@digit.png localhost:3000/classify\n",
            "raw body",
            "training.train",
            *MEASURED,
        )
    )


def test_make_serve_and_the_first_answer(clone: Path, served_port: int) -> None:
    assert not list(clone.glob(".venv/lib/*/site-packages/torch"))
    block = block_with("image=@digit.png localhost:3000/classify\n").replace(
        "localhost:3000", f"localhost:{served_port}"
    )
    answer = json.loads(run(block, clone))
    (shown,) = map(json.loads, blocks("json", README))
    assert list(answer) == list(shown)
    assert list(answer["latency_ms"]) == list(shown["latency_ms"])
    assert (answer["digit"], answer["accepted"], answer["file"]) == (2, True, "digit.png")


def test_the_other_ways_to_ask(clone: Path, served_port: int) -> None:
    output = run(block_with("raw body").replace("localhost:3000", f"localhost:{served_port}"), clone)
    decoder, answers = json.JSONDecoder(), []
    while output:
        answer, end = decoder.raw_decode(output)
        answers.append(answer)
        output = output[end:].lstrip()
    raw, put, *of_alexnet, explained, several = answers
    assert raw["digit"] == 2
    assert put["file"] == "digit.png"
    assert [(one["digit"], one["model"]["name"]) for one in of_alexnet] == [(2, "alexnet")] * 3
    assert {one["read"] for one in explained["candidates"]} == {"2"}
    assert [answer["digit"] for answer in several] == [2, 2]


def test_measuring_on_pictures_of_ones_own(clone: Path, served_port: int) -> None:
    made, read, evaluated, explained = (
        run(block_with(command).replace("localhost:3000", f"localhost:{served_port}"), clone) for command in MEASURED
    )
    assert "100 pictures of each of 7 kinds" in made
    assert read.startswith("pictures/")
    assert re.search(r"^all digits: accuracy [\d.]+% \(\d+ of 700; .*accepted [\d.]+%", evaluated, flags=re.MULTILINE)
    assert "threshold 0." in evaluated
    assert (clone / "runs/uploads/mistakes.png").exists()
    assert json.loads(explained)["candidates"]


def test_tritons_client(clone: Path, served_port: int) -> None:
    (block,) = blocks("python", API)
    code = block.replace("localhost:3000", f"localhost:{served_port}")
    result = subprocess.run([sys.executable, "-c", code], cwd=clone, capture_output=True, text=True, check=False)
    assert re.fullmatch(r"\[2\] \[0\.9\d+\] \[ True\]\n", result.stdout), result.stdout + result.stderr


def test_the_library(clone: Path) -> None:
    (block,) = blocks("python", README)
    command = [sys.executable, "-W", "error", "-c", block]
    result = subprocess.run(command, cwd=clone, capture_output=True, text=True, check=False)
    first, second = result.stdout.splitlines() or [result.stderr, ""]
    assert first == "digit.png 2 True None None"
    assert second.startswith("scan.jpg None")
    assert "No such file" in second


def test_train_evaluate_and_export(clone: Path) -> None:
    output = run(block_with("training.train"), clone)
    assert "wrote exported/first" in output
    (accuracy,) = re.findall(r"^runs/first, validation split of sample: ([\d.]+)%", output, flags=re.MULTILINE)
    assert float(accuracy) >= 95
    assert (clone / "exported/first/metadata.json").exists()


def test_the_settings_that_the_readme_names_are_some() -> None:
    named = re.findall(r"NUMERAL_([A-Z_]+)", README)
    assert len(named) >= 5
    assert {name.lower() for name in named} <= set(Settings.model_fields)


def test_the_map_shows_every_room_and_no_other() -> None:
    map_of_tree = README.split("## Where things are")[1].split("```")[1]
    named = set(re.findall(r"(?:^|\s)(\w+)/ ", map_of_tree, flags=re.MULTILINE))
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    folders = {path.split("/")[0] for path in tracked if "/" in path and not path.startswith(".")}
    rooms = {path.split("/")[1] for path in tracked if re.match(r"(service|training)/\w+/", path)}
    assert named == folders | rooms - {"compare"}  # a verb, named among them


def test_every_status_that_is_answered_is_in_the_table() -> None:
    """By the names that the service's code gives to them."""
    table = {int(status) for row in re.findall(r"^\| ([\d, ]+) \|", API, re.MULTILINE) for status in row.split(",")}
    code = "".join(path.read_text() for path in (ROOT / "service").rglob("*.py"))
    answered = {HTTPStatus[name].value for name in re.findall(r"HTTPStatus\.([A-Z_]+)\b(?!\()", code)}
    assert table == answered - {200, 307}  # the second is never let out
