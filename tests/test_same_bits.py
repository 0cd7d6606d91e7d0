"""What a service answers to a file does not depend on the files beside it, nor on the requests that come meanwhile."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.harness import Digits, encode, png, serving
from tests.service.model.test_same_bits import ON_THIS_CPU

Answer = dict[str, Any]


@pytest.fixture(scope="module", params=ON_THIS_CPU)
def asked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    log = tmp_path_factory.mktemp("bits") / "log"
    with serving(log, precision=request.param) as url, httpx.Client(base_url=url, timeout=60) as client:
        assert {model["precision"] for model in client.get("/models").json().values()} == {request.param}
        yield client


def mixed(digits: Digits) -> list[bytes]:
    """Canonical digits, photos that go to a process of their own, some with two candidates, a blank, a broken file."""
    files = [png(digits.pick(label, which)) for label in range(10) for which in range(3)]
    for label in range(10):
        photo = 200 - np.linspace(0, 60, 120)[:, np.newaxis] * np.ones((1, 120))
        photo[20:104, 20:104] -= np.asarray(Image.fromarray(digits.pick(label, 5)).resize((84, 84))) / 3
        files.insert(3 * label, encode(Image.fromarray(photo.astype(np.uint8)), "JPEG"))
    return [*files, png(np.full((40, 40), 200, np.uint8)), b"\x89PNG\r\n\x1a\n broken"]


def together(client: httpx.Client, files: list[bytes], model: str) -> list[Answer]:
    form = [("image", (str(number), content)) for number, content in enumerate(files)]
    answers: list[Answer] = client.post("/classify", params={"model": model}, files=form).json()
    return answers


def alone(client: httpx.Client, content: bytes, model: str) -> Answer:
    answer: Answer = client.post("/classify", params={"model": model}, content=content).json()
    return answer


def said(answer: Answer) -> list[Any]:
    return [answer.get(name) for name in ("digit", "confidence", "accepted", "reason", "probabilities", "detail")]


@pytest.mark.parametrize("model", ["googlenet", "alexnet"])
def test_neighbours_change_no_bit(model: str, asked: httpx.Client, digits: Digits) -> None:
    files = mixed(digits)
    expected = [said(alone(asked, content, model)) for content in files]
    assert len({str(one) for one in expected}) > 30
    order = np.random.default_rng(0).permutation(len(files)).tolist()
    with ThreadPoolExecutor(4) as others:
        meanwhile = [others.submit(alone, asked, files[number], model) for number in order]
        answers = together(asked, [files[number] for number in order], model)
        for number, answer in zip(order, meanwhile, strict=True):
            assert said(answer.result()) == expected[number]
    assert max(answer.get("batch_size", 0) for answer in answers) > 1
    assert [said(answer) for answer in answers] == [expected[number] for number in order]
