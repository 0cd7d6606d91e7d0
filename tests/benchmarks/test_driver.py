"""Servers are started and answered for, and what is sent to them is what they take."""

import sys
import urllib.error
import urllib.request
from email import message_from_bytes
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import driver
from benchmarks.peers.targets import TARGETS, Target
from service.picture.normalise import normalise

# Answers 200 to each GET, on the port that it is given.
SERVER = "import http.server, sys; http.server.test(http.server.SimpleHTTPRequestHandler, port=int(sys.argv[1]))"


def target(code: str) -> Target:
    return Target("test", lambda port, _: (sys.executable, "-c", code, str(port)), "json")


def test_a_server_that_ends_is_an_error_with_what_it_said() -> None:
    with (
        pytest.raises(RuntimeError, match=r"test does not start: no such port"),
        driver.running(target("import sys; sys.exit('no such port')"), {}),
    ):
        pytest.fail("it has started")


def test_a_server_is_there_inside_and_gone_behind() -> None:
    with driver.running(target(SERVER), {}) as url:
        assert urllib.request.urlopen(url, timeout=5).status == 200
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(url, timeout=5)


def test_every_load_has_a_body(tmp_path: Path) -> None:
    bodies = driver.write_bodies(tmp_path)
    assert {load.body for each in TARGETS for load in each.loads} <= set(bodies)
    assert all(Path(file).stat().st_size > 0 for file, *_ in bodies.values())


def test_the_bodies_hold_one_canonical_digit(tmp_path: Path) -> None:
    """The service changes nothing of it, so it has no more to do than its peers."""
    bodies = driver.write_bodies(tmp_path)
    seven = driver.digit()
    image = Image.open(bodies["raw"][0])
    assert np.array_equal(np.asarray(image), seven)
    assert np.array_equal(np.asarray(normalise(image).digits), seven[None])
    assert Path(bodies["tensor"][0]).read_bytes().endswith(seven.tobytes())
    for name, field, count in (("64 files", "image", 64), ("multipart images", "images", 1)):
        file, header, value = bodies[name]
        form = message_from_bytes(f"{header}: {value}\r\n\r\n".encode() + Path(file).read_bytes())
        parts = list(form.walk())[1:]
        assert [part.get_param("name", header="content-disposition") for part in parts] == [field] * count
        sent = parts[-1].get_payload(decode=True)
        assert isinstance(sent, bytes)
        assert np.array_equal(np.asarray(Image.open(BytesIO(sent))), seven)


def test_a_server_is_given_what_is_measured() -> None:
    given = driver.environment("fp32", "alexnet", "cuda")
    measured = {name: given[f"NUMERAL_{name}"] for name in ("PRECISION", "PROVIDER", "DEFAULT_MODEL")}
    assert measured == {"PRECISION": "fp32", "PROVIDER": "cuda", "DEFAULT_MODEL": "alexnet"}
