"""Through a server the same comes out, and what a server or the way to it does meanwhile is lived through."""

import email.utils
import json
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from signal import SIGINT
from threading import Event, Lock, Thread

import httpx
import pytest

from numeral.errors import RunError, UsageError
from numeral.files import File, find
from numeral.remote import FIRST_PAUSE, Remote, pause_asked
from tests.harness import ROOT, Digits, free_port, serving
from tests.numeral.harness import begun, numeral, save_digits
from tests.numeral.test_reader import assert_same

PHOTO = ROOT / "digit.png"

# What happens to a request in place of an answer.
Mishap = Callable[["Between"], None]


class Between(BaseHTTPRequestHandler):
    """Hands on to a real server, but for the uploads that a mishap is left for."""

    protocol_version = "HTTP/1.1"
    server: "Way"

    def do_GET(self) -> None:
        self.answer(httpx.get(f"{self.server.to}{self.path}"))

    def do_POST(self) -> None:
        self.body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.lock:
            self.server.asked.append(time.monotonic())
            mishap = self.server.mishaps.pop(0) if self.server.mishaps else None
        if mishap:
            mishap(self)
        else:
            headers = {"Content-Type": self.headers["Content-Type"]}
            self.answer(httpx.post(f"{self.server.to}{self.path}", content=self.body, headers=headers, timeout=60))

    def answer(self, response: httpx.Response) -> None:
        self.say(response.status_code, response.content)

    def say(self, status: int, content: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


class Way(ThreadingHTTPServer):
    def __init__(self, to: str, *mishaps: Mishap) -> None:
        super().__init__(("127.0.0.1", 0), Between)
        self.to = to
        self.mishaps = list(mishaps)
        self.asked: list[float] = []
        self.lock = Lock()
        self.over = Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


def refuse(status: int, **headers: str) -> Mishap:
    return lambda between: between.say(status, json.dumps({"detail": "not now"}).encode(), **headers)


def drop(between: Between) -> None:
    between.close_connection = True
    between.connection.close()


def hang(between: Between) -> None:
    between.close_connection = True
    between.server.over.wait(120)


def cut_short(between: Between) -> None:
    between.send_response(200)
    between.send_header("Content-Length", "1000")
    between.end_headers()
    between.wfile.write(b"[")
    between.close_connection = True


@pytest.fixture
def way(server: str, request: pytest.FixtureRequest) -> Iterator[Way]:
    mishaps = request.param if hasattr(request, "param") else []
    with Way(server, *mishaps) as between:
        thread = Thread(target=between.serve_forever, daemon=True)
        thread.start()
        yield between
        between.over.set()
        between.shutdown()


def pictures(folder: Path, digits: Digits) -> list[File]:
    save_digits(folder, digits, 4)
    (folder / "0.png").write_bytes(b"text")
    return [*find([str(folder)]), File("photo", str(PHOTO)), File("nowhere", str(folder / "nowhere"))]


def read(url: str, files: list[File], model: str | None = None) -> list[dict[str, object]]:
    remote = Remote(url, 1, model, explain=False)
    try:
        remote.start()
        return remote.read(files)
    finally:
        remote.close()


@pytest.mark.parametrize("model", ["googlenet", "alexnet"])
def test_it_reads_as_this_machine_does(server: str, digits: Digits, tmp_path: Path, model: str) -> None:
    save_digits(tmp_path / "scans", digits, 70)
    (tmp_path / "scans/00010.png").write_bytes(b"text")
    asked = ["read", "scans", str(PHOTO), "nowhere.png", "--json", "--explain", "--model", model]
    here = numeral(*asked, cwd=tmp_path)
    there = numeral(*asked, "--url", server, cwd=tmp_path)
    assert here.returncode == there.returncode == 1
    rows, others = json.loads(here.stdout), json.loads(there.stdout)
    assert [list(row) for row in rows] == [list(row) for row in others]
    for row, other in zip(rows, others, strict=True):
        assert row["file"] == other["file"]
        assert row["error"] == other["error"]
        if not row["error"]:
            assert_same(row, other)


@pytest.mark.parametrize("way", [[refuse(429, Retry_After="1")], [refuse(503, Retry_After="1")]], indirect=True)
def test_it_comes_back_when_it_is_told_to(way: Way, digits: Digits, tmp_path: Path) -> None:
    rows = read(way.url, pictures(tmp_path / "scans", digits))
    assert [row["error"] is None for row in rows] == [False, True, True, True, True, True, False]
    first, second = way.asked
    assert second - first >= 1


@pytest.mark.parametrize("way", [[drop, cut_short, drop]], indirect=True)
def test_what_is_dropped_is_sent_again(way: Way, digits: Digits, tmp_path: Path) -> None:
    rows = read(way.url, pictures(tmp_path / "scans", digits))
    assert [row["error"] is None for row in rows] == [False, True, True, True, True, True, False]
    assert len(way.asked) == 4


@pytest.mark.parametrize("way", [[refuse(413)], [refuse(504)]], indirect=True)
def test_what_is_refused_as_a_whole_is_sent_one_by_one(way: Way, digits: Digits, tmp_path: Path) -> None:
    files = pictures(tmp_path / "scans", digits)
    rows = read(way.url, files)
    assert [row["file"] for row in rows] == [file.name for file in files]
    assert [row["error"] is None for row in rows] == [False, True, True, True, True, True, False]
    assert len(way.asked) == 1 + 6


@pytest.mark.parametrize("way", [[refuse(504, Retry_After="0")] * 3], indirect=True)
def test_a_file_that_takes_the_server_too_long_is_a_row(way: Way) -> None:
    (row,) = read(way.url, [File("photo", str(PHOTO))])
    assert row["error"] == "not now"
    first, second, third = way.asked
    assert min(second - first, third - second) >= FIRST_PAUSE


def test_a_file_is_opened_when_its_request_is_next(way: Way, tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.png" for number in range(3)]
    for file in files:
        file.write_bytes(PHOTO.read_bytes().ljust(3_000_000))

    def remove_the_last(between: Between) -> None:
        files[2].unlink()
        refuse(503)(between)

    way.mishaps = [remove_the_last]
    rows = read(way.url, find([str(file) for file in files]))
    assert [row["digit"] for row in rows] == [2, 2, None]
    assert str(rows[2]["error"]).startswith("the file cannot be read")


@pytest.mark.parametrize("way", [[refuse(401)]], indirect=True)
def test_what_no_file_can_help_ends_the_run(way: Way) -> None:
    with pytest.raises(RunError, match="answers 401: not now"):
        read(way.url, [File("photo", str(PHOTO))])


@pytest.mark.parametrize("way", [[hang] * 3], indirect=True)
def test_ctrl_c_does_not_wait_for_a_server_that_hangs(way: Way, tmp_path: Path) -> None:
    process = begun("read", str(PHOTO), "--url", way.url, "--out", "out.jsonl", cwd=tmp_path)
    while not way.asked:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(SIGINT)
    _, said = process.communicate(timeout=30)  # a request may take 60
    assert process.returncode == 130
    assert said == b"numeral: stopped; the same command goes on with it\n"


def test_a_run_that_ended_does_not_wait_for_a_server_that_hangs(way: Way, digits: Digits, tmp_path: Path) -> None:
    first, *_ = save_digits(tmp_path / "scans", digits, 100)
    of_the_first = (tmp_path / "scans" / first).read_bytes()
    hung = Event()

    def refuse_the_first(between: Between) -> None:
        if of_the_first in between.body:
            hung.wait(60)
            refuse(401)(between)
        else:
            hung.set()
            hang(between)

    way.mishaps = [refuse_the_first] * 4
    process = begun("read", "scans", "--url", way.url, "--jsonl", cwd=tmp_path)
    _, said = process.communicate(timeout=30)  # a request may take 60
    assert process.returncode == 3
    assert said.splitlines() == [f"numeral: {way.url} answers 401: not now".encode()]


@pytest.mark.parametrize("way", [[refuse(429, Retry_After="3600")]], indirect=True)
def test_who_asks_to_wait_an_hour_is_not_waited_for(way: Way) -> None:
    with pytest.raises(RunError, match="has not answered within 180 s, or asks to wait longer: 429: not now"):
        read(way.url, [File("photo", str(PHOTO))])


@pytest.mark.parametrize("way", [[refuse(200)], [refuse(200, Content_Encoding="gzip")]], indirect=True)
def test_an_answer_of_something_else_ends_the_run(way: Way) -> None:
    with pytest.raises(RunError, match="does not answer as a numeral service does"):
        read(way.url, [File("photo", str(PHOTO)), File("again", str(PHOTO))])


def test_a_date_is_waited_for_too() -> None:
    def pause(asked: str) -> float | None:
        return pause_asked(httpx.Response(503, headers={"Retry-After": asked}))

    assert pause("7") == 7
    assert pause("soon") is None
    assert pause("") is None
    soon = pause(email.utils.formatdate(time.time() + 100, usegmt=True))
    assert soon is not None
    assert 90 < soon <= 100
    assert pause(email.utils.formatdate(0, usegmt=True)) == 0


def test_an_unknown_model_and_a_server_that_is_not_there(server: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"model 'vgg' is unknown to http://.*; allowed: alexnet, googlenet"):
        read(server, [], model="vgg")
    result = numeral("read", PHOTO, "--url", f"127.0.0.1:{free_port()}", cwd=tmp_path)
    (line,) = result.stderr.decode().splitlines()
    assert result.returncode == 3
    assert "cannot be reached: ConnectError" in line


def test_a_file_that_is_too_large_for_the_server_is_a_row(server: str, tmp_path: Path) -> None:
    for megabytes in (13, 63):
        (tmp_path / f"{megabytes}.png").write_bytes(PHOTO.read_bytes().ljust(1_000_000 * megabytes))
    rows = read(server, find([str(tmp_path / "13.png"), str(PHOTO), str(tmp_path / "63.png")]))
    assert [row["digit"] for row in rows] == [None, 2, None]
    assert "bytes; the limit is 12,000,000" in str(rows[0]["error"])
    assert "bytes; the limit is 12,000,000" in str(rows[2]["error"])


def test_a_server_that_is_full_is_read_through_by_many_connections(digits: Digits, tmp_path: Path) -> None:
    """Large pictures, which a server with a short queue refuses with 429 where they come side by side."""
    save_digits(tmp_path / "scans", digits, 256, scale=8)
    with serving(tmp_path / "log", max_files="32", queue_size="33", workers="1") as url:
        asked = ["read", "scans", "--url", url, "--connections", "8", "--out", "out.csv"]
        result = numeral(*asked, cwd=tmp_path)
        refused = httpx.get(f"{url}/metrics").text
    assert (result.returncode, b"256 files" in result.stderr) == (0, True), result
    assert 'status="429"' in refused


def test_a_server_that_asks_for_a_key_gets_it(digits: Digits, tmp_path: Path) -> None:
    key = "a-key-of-sixteen-characters"
    (tmp_path / "keys").write_text(key)
    save_digits(tmp_path / "scans", digits, 3)
    with serving(tmp_path / "log", workers="1", api_key_file=str(tmp_path / "keys")) as url:
        without = numeral("read", "scans", "--url", url, "--jsonl", cwd=tmp_path)
        told = numeral("read", "scans", "--url", url, "--jsonl", "--api-key", key, cwd=tmp_path)
    assert without.returncode == 3
    assert b"401" in without.stderr
    assert told.returncode == 0
    assert len(told.stdout.splitlines()) == 3


def test_a_key_that_no_header_can_carry_is_not_repeated() -> None:
    with pytest.raises(UsageError, match="no printable ASCII") as refused:
        Remote("http://localhost:1", 1, None, explain=False, api_key="secret\r\nx: y")
    assert "secret" not in str(refused.value)
