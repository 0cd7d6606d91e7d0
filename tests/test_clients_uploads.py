"""What people upload with, each as it comes: all are given the same answer. What is not installed here is left out."""

import ast
import base64
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests

from tests.harness import Digits, assert_problem, png

Answer = dict[str, Any]

# Java's asks for HTTP/2 as it sends, and goes on without.
JAVA = """
import java.net.URI;
import java.net.http.*;
import java.nio.file.Path;
class Upload {
    public static void main(String[] given) throws Exception {
        var body = HttpRequest.BodyPublishers.ofFile(Path.of(given[1]));
        var request = HttpRequest.newBuilder(URI.create(given[0])).POST(body).build();
        System.out.print(HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString()).body());
    }
}
"""

# In a process of its own: the client leaves a temporary folder open, which is an error in this one.
BENTOML = """
import pathlib, sys, bentoml
client = bentoml.SyncHTTPClient(sys.argv[1])
print(client.classify(image=pathlib.Path(sys.argv[2]), **eval(sys.argv[3])))
"""


@pytest.fixture(scope="module")
def six(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.harness import sample_digits

    path = tmp_path_factory.mktemp("uploads") / "six.png"
    path.write_bytes(png(sample_digits().pick(6)))
    return path


def printed(*command: object) -> str:
    if shutil.which(str(command[0])) is None:
        pytest.skip(f"{command[0]} is not installed")
    return subprocess.run([*map(str, command)], capture_output=True, text=True, check=True, timeout=60).stdout


def by_requests(url: str, path: Path) -> Answer:
    with path.open("rb") as file:
        answer: Answer = requests.post(f"{url}/classify", files={"image": file}, timeout=30).json()
    return answer


def by_requests_as_a_stream(url: str, path: Path) -> Answer:
    with path.open("rb") as file:
        answer: Answer = requests.put(f"{url}/classify/{path.name}", data=file, timeout=30).json()
    return answer


def by_httpx(url: str, path: Path) -> Answer:
    with path.open("rb") as file:
        answer: Answer = httpx.post(f"{url}/classify", files={"image": file}, timeout=30).json()
    return answer


def by_json(url: str, path: Path) -> Answer:
    image = base64.b64encode(path.read_bytes()).decode()
    answer: Answer = httpx.post(f"{url}/classify", json={"image": image}, timeout=30).json()
    return answer


def by_curl(url: str, path: Path) -> Answer:
    answer: Answer = json.loads(printed("curl", "-sS", "-T", path, f"{url}/classify"))
    return answer


def by_curl_with_the_name(url: str, path: Path) -> Answer:
    answer: Answer = json.loads(printed("curl", "-sS", "-T", path, f"{url}/classify/"))
    return answer


def by_curl_as_a_form(url: str, path: Path) -> Answer:
    answer: Answer = json.loads(printed("curl", "-sS", "-F", f"image=@{path}", f"{url}/classify"))
    return answer


def by_wget(url: str, path: Path) -> Answer:
    answer: Answer = json.loads(printed("wget", "-qO-", f"--post-file={path}", f"{url}/classify"))
    return answer


def by_java(url: str, path: Path) -> Answer:
    source = path.with_name("Upload.java")
    source.write_text(JAVA)
    answer: Answer = json.loads(printed("java", source, f"{url}/classify", path))
    return answer


def by_bentoml(url: str, path: Path, **options: object) -> Answer:
    answer: Answer = ast.literal_eval(printed(sys.executable, "-c", BENTOML, url, path, options))
    return answer


NAMED = (by_requests, by_requests_as_a_stream, by_httpx, by_curl_with_the_name, by_curl_as_a_form, by_bentoml)


@pytest.mark.parametrize("send", [*NAMED, by_json, by_curl, by_wget, by_java])
def test_each_client_is_given_the_same_answer(server: str, six: Path, send: Callable[[str, Path], Answer]) -> None:
    expected = httpx.post(f"{server}/classify", content=six.read_bytes()).json()
    file = "six.png" if send in NAMED else None
    assert {**send(server, six), "latency_ms": 0} == {**expected, "latency_ms": 0, "file": file}
    assert expected["digit"] == 6


def test_bentomls_client_names_a_model_and_asks_for_an_explanation(server: str, six: Path) -> None:
    answer = by_bentoml(server, six, model="alexnet", explain=True)
    assert (answer["digit"], answer["model"]["name"]) == (6, "alexnet")
    assert [one["read"] for one in answer["candidates"]] == ["6"]
    assert by_bentoml(server, six, model=None)["model"]["name"] == "googlenet"


@pytest.mark.parametrize("fields", [{"model": "alexnet", "explain": "1"}, {"model": '"alexnet"', "explain": "True"}])
def test_a_form_asks_as_an_address_does(client: httpx.Client, six: Path, fields: dict[str, str]) -> None:
    files = {"image": six.read_bytes()}
    answer = client.post("/classify", files=files, data=fields).json()
    assert (answer["model"]["name"], len(answer["candidates"])) == ("alexnet", 1)
    assert client.post("/classify?model=alexnet", files=files, data=fields).status_code == 200
    response = client.post("/classify?model=googlenet", files=files, data=fields)
    assert_problem(response, 400, "model is asked for as 'googlenet' and as 'alexnet'; ask for one")
    response = client.post("/classify", files=files, data={"model": "lenet"})
    assert_problem(response, 400, "model 'lenet' is unknown; allowed: alexnet")


def test_a_file_name_in_the_address_is_repeated_and_bounded(client: httpx.Client, six: Path) -> None:
    content = six.read_bytes()
    assert client.put("/classify/Ziffer%20%C3%9F.png", content=content).json()["file"] == "Ziffer ß.png"
    assert_problem(client.put(f"/classify/{'x' * 256}", content=content), 414, "256 characters; the limit is 255")
    assert_problem(client.put("/classify/a/b.png", content=content), 404, "/classify")
    assert_problem(client.post("/classify/b.png", content=content), 404, "/classify")
    assert_problem(client.put("/models", content=content), 405, "PUT is not allowed")
    assert_problem(client.put("/classify/b.png"), 400, "no body")


def test_every_json_answer_ends_its_line(client: httpx.Client, digits: Digits) -> None:
    for response in (
        client.post("/classify", content=png(digits.pick(1))),
        client.post("/classify", content=b"text"),
        client.post("/classify"),
        client.get("/models"),
        client.get("/stats"),
        client.get("/absent"),
        client.get("/classify"),
    ):
        assert response.text.endswith("}\n")
        assert int(response.headers["content-length"]) == len(response.content)
