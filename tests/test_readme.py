"""The README's commands, run as a newcomer runs them: in a fresh copy of the repository."""

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
from tests.harness import ROOT, free_port, wait_until_ready

README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```bash\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


def block_with(command: str) -> str:
    found: list[str] = [block for block in BLOCKS if command in block]
    (only,) = found
    return only


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that git knows of or would take, with the environment for development already made."""
    target = tmp_path_factory.mktemp("clone")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in listed.stdout.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).write_bytes((ROOT / name).read_bytes())
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
        block_with(command) for command in ("make serve", "image=@digit.png localhost", "raw body", "training.train")
    )


def test_make_serve_and_the_first_answer(clone: Path, served_port: int) -> None:
    assert not list(clone.glob(".venv/lib/*/site-packages/torch"))
    block = block_with("image=@digit.png localhost").replace("localhost:3000", f"localhost:{served_port}")
    answer = json.loads(run(block, clone))
    shown = json.loads(re.findall(r"^```json\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)[0])
    assert list(answer) == list(shown)
    assert list(answer["latency_ms"]) == list(shown["latency_ms"])
    assert (answer["digit"], answer["accepted"], answer["file"]) == (2, True, "digit.png")


def test_the_other_ways_to_ask(clone: Path, served_port: int) -> None:
    output = run(block_with("raw body").replace("localhost:3000", f"localhost:{served_port}"), clone)
    decoder, answers = json.JSONDecoder(), []
    while output:
        answer, end = decoder.raw_decode(output)
        answers.append(answer)
        output = output[end:]
    assert answers[0]["digit"] == answers[1]["digit"] == 2
    assert answers[1]["model"]["name"] == "alexnet"
    assert {one["read"] for one in answers[2]["candidates"]} == {"2"}
    assert [answer["digit"] for answer in answers[3]] == [2, 2]


def test_train_evaluate_and_export(clone: Path) -> None:
    output = run(block_with("training.train"), clone)
    assert "wrote exported/first" in output
    (accuracy,) = re.findall(r"^runs/first, validation split of sample: ([\d.]+)%", output, flags=re.MULTILINE)
    assert float(accuracy) >= 95
    assert (clone / "exported/first/metadata.json").exists()


def test_the_table_of_settings_is_complete() -> None:
    table = dict(re.findall(r"^\| `NUMERAL_(\w+)` \| `?([^`|]+?)`? \|", README, flags=re.MULTILINE))
    defaults = {name.upper(): str(field.default) for name, field in Settings.model_fields.items()}
    assert table == {**defaults, "MODELS_DIR": "exported"}


def test_the_map_shows_every_room_and_no_other() -> None:
    map_of_tree = README.split("## Where things are")[1].split("```")[1]
    named = set(re.findall(r"(?:^|\s)(\w+)/ ", map_of_tree, flags=re.MULTILINE))
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    folders = {path.split("/")[0] for path in tracked if "/" in path and not path.startswith(".")}
    rooms = {path.split("/")[1] for path in tracked if re.match(r"(service|training)/\w+/", path)}
    assert named == folders | rooms - {"compare"}  # a verb, named among them


def test_every_status_that_is_answered_is_in_the_table() -> None:
    """By the names that the service's code gives to them."""
    table = {int(status) for row in re.findall(r"^\| ([\d, ]+) \|", README, re.MULTILINE) for status in row.split(",")}
    code = "".join(path.read_text() for path in (ROOT / "service").rglob("*.py"))
    answered = {HTTPStatus[name].value for name in re.findall(r"HTTPStatus\.([A-Z_]+)\b(?!\()", code)}
    assert table == answered - {200, 307}  # the second is never let out
