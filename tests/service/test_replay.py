"""An answer can be had again from its receipt; where it cannot, what differs is named."""

import json
import re
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from service import replay
from service.picture import version
from service.picture.shown import data_url
from tests.harness import Digits, png


def answer_of(client: httpx.Client, content: bytes, **query: str) -> dict[str, Any]:
    answer: dict[str, Any] = client.post("/classify", params=query, content=content).json()
    return answer


def replayed(tmp_path: Path, answer: object, content: bytes, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """The exit code, and what was said."""
    (tmp_path / "answer.json").write_text(json.dumps(answer))
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(SystemExit) as ended:
        replay.main([str(tmp_path / "answer.json"), str(tmp_path / "file")])
    output = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, output.out + output.err


@pytest.mark.parametrize("model", ["googlenet", "alexnet"])
def test_an_answer_comes_again(
    client: httpx.Client, digits: Digits, tmp_path: Path, capsys: pytest.CaptureFixture[str], model: str
) -> None:
    small, large = png(digits.pick(3)), png(np.kron(digits.pick(8), np.ones((5, 5), np.uint8)))
    for content in (small, large, png(np.full((40, 40), 200, np.uint8))):
        answer = answer_of(client, content, model=model, explain="1")
        assert replayed(tmp_path, answer, content, capsys) == (
            0,
            "equal: the same file, model and code, and the same answer\n",
        )
        assert replayed(tmp_path, answer["receipt"], content, capsys)[0] == 0


def test_of_several_answers_the_one_to_the_file_is_taken(
    client: httpx.Client, digits: Digits, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    contents = [png(digits.pick(label)) for label in (1, 2, 3)]
    answers = client.post("/classify", files=[("image", ("x", one)) for one in [*contents, b"broken"]]).json()
    assert "receipt" not in answers[3]
    assert replayed(tmp_path, answers, contents[1], capsys)[0] == 0
    code, said = replayed(tmp_path, answers, png(digits.pick(9)), capsys)
    assert code == 2
    assert re.match(r"cannot be compared: none of the 3 answers is to a file of sha256 [0-9a-f]{64}\n", said)


def test_each_difference_is_named(
    client: httpx.Client, digits: Digits, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = png(digits.pick(4))
    answer = answer_of(client, content)
    changed = {"code": "0" * 16, "provider": "CUDAExecutionProvider", "model": "a" * 64}
    told = {**answer, "digit": 9, "receipt": {**answer["receipt"], **changed}}
    code, said = replayed(tmp_path, told, content, capsys)
    assert code == 1
    assert f"code: '{'0' * 16}', here '{version.code()}'" in said
    assert "provider: 'CUDAExecutionProvider', here 'CPUExecutionProvider'" in said
    assert f"model: '{'a' * 64}', here '{answer['model']['sha256']}'" in said
    assert "digit: 9, here 4" in said
    assert "confidence" not in said


def test_another_file_is_told(
    client: httpx.Client, digits: Digits, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = answer_of(client, png(digits.pick(4)))
    code, said = replayed(tmp_path, answer, png(digits.pick(5)), capsys)
    assert code == 1
    assert f"file: '{answer['receipt']['file']}', here '" in said
    assert "digit: 4, here 5" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is no JSON"),
        ("[1, null]", "holds no answer with a receipt (code, file, libraries, model, precision, provider, threshold)"),
        ('{"digit": 3}', "holds no answer with a receipt"),
        (" " * (replay.ANSWER_BYTES + 1), "has more than 16,000,000 bytes, which is the limit"),
    ],
)
def test_what_is_no_answer_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    (tmp_path / "answer.json").write_text(text)
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(SystemExit) as ended:
        replay.main([str(tmp_path / "answer.json"), str(tmp_path / "file")])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"model": "googlenet"}, "model is 'googlenet'; allowed: an object with a name"),
        ({"model": {"name": ["googlenet"]}}, "allowed: an object with a name"),
        ({"probabilities": [0.5]}, "probabilities is '[0.5]'; allowed: an object, or null"),
    ],
)
def test_what_is_of_another_form_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changed: dict[str, object], said: str
) -> None:
    receipt = {**dict.fromkeys(replay.FIELDS, ""), "libraries": {}}
    code, told = replayed(tmp_path, {"receipt": receipt, **changed}, b"x", capsys)
    assert code == 2
    assert told.startswith("cannot be compared: ")
    assert said in told


def test_explained_answers_to_as_many_files_as_a_request_has_fit(
    client: httpx.Client, digits: Digits, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As of a network that sees 32 by 32 pixels in colour."""
    content = png(digits.pick(4))
    answer = answer_of(client, content, explain="1")
    image = data_url(np.random.default_rng(0).integers(0, 256, (3, 32, 32), np.uint8))
    answer["candidates"] = [{**answer["candidates"][0], "image": image}] * 2
    assert replayed(tmp_path, [answer] * 256, content, capsys)[0] == 0
    assert (tmp_path / "answer.json").stat().st_size > 2_000_000


def test_a_model_that_is_nowhere_is_an_error(
    client: httpx.Client, digits: Digits, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = answer_of(client, png(digits.pick(4)))
    gone = {**answer, "model": {"name": "gone"}, "receipt": {**answer["receipt"], "model": "a" * 64}}
    code, said = replayed(tmp_path, gone, png(digits.pick(4)), capsys)
    assert code == 2
    assert "model 'gone' is not in" in said


def test_a_file_that_is_no_image_is_an_error(
    client: httpx.Client, digits: Digits, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = answer_of(client, png(digits.pick(4)))
    code, said = replayed(tmp_path, answer, b"no image", capsys)
    assert code == 2
    assert "the file is answered with an error" in said
    (tmp_path / "file").unlink()
    with pytest.raises(SystemExit):
        replay.main([str(tmp_path / "answer.json"), str(tmp_path / "file")])
    assert "cannot be read: No such file or directory" in capsys.readouterr().err
