"""Files are taken out of forms and raw bodies; what cannot be understood is said, with its own status."""

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping

import httpx
import pytest
from starlette.requests import Request

from service.settings import Settings
from service.web import upload
from service.web.admission import Admission
from service.web.form import CONTENT_TYPE_BYTES
from service.web.problem import Problem
from service.web.sent import Upload
from service.web.time_limit import TimeLimit
from service.web.upload import GRACE_SECONDS, read_uploads

SETTINGS = Settings(max_body_bytes=1000, max_files=3, read_timeout_ms=200)

Receive = Callable[[], Awaitable[MutableMapping[str, object]]]


def request_by(receive: Receive, headers: list[tuple[bytes, bytes]]) -> Request:
    return Request(
        {"type": "http", "method": "POST", "path": "/classify", "query_string": b"", "headers": headers}, receive
    )


def request_of(body: bytes | list[bytes], content_type: str | None = None, length: int | None = None) -> Request:
    """A request whose body comes in the given chunks; without `length` it does not announce one."""
    chunks = [body] if isinstance(body, bytes) else list(body)
    headers = [(b"content-type", content_type.encode())] if content_type else []
    if length is not None:
        headers.append((b"content-length", str(length).encode()))

    async def receive() -> dict[str, object]:
        chunk = chunks.pop(0)
        return {"type": "http.request", "body": chunk, "more_body": bool(chunks)}

    return request_by(receive, headers)


def form(files: list[tuple[str, tuple[str, bytes, str]]], data: dict[str, str] | None = None) -> Request:
    """The form as httpx, a client of its own, encodes it."""
    encoded = httpx.Request("POST", "http://test", files=files, data=data)
    return request_of(encoded.read(), encoded.headers["content-type"])


def read(request: Request, settings: Settings = SETTINGS, admission: Admission | None = None) -> list[Upload]:
    async def read_within_limit() -> list[Upload]:
        begin = TimeLimit(min(GRACE_SECONDS, settings.read_timeout_ms / 1000))
        with (admission or Admission(10**9, "bytes", "NUMERAL_X")).hold() as held:
            return (await read_uploads(request, settings, held, begin)).uploads

    return asyncio.run(read_within_limit())


@pytest.mark.parametrize("content_type", [None, "image/png", "application/octet-stream", "text/plain", "nonsense"])
def test_a_raw_body_is_one_upload_whatever_its_type(content_type: str | None) -> None:
    assert read(request_of(b"bytes", content_type)) == [Upload(b"bytes")]


def test_a_body_in_chunks_is_joined() -> None:
    assert read(request_of([b"by", b"", b"tes"])) == [Upload(b"bytes")]


@pytest.mark.parametrize("field", ["image", "file", "über", "a b"])
def test_any_field_name_and_any_part_type_will_do(field: str) -> None:
    assert read(form([(field, ("x.png", b"\r\n--\x00\xff", "image/jpg"))])) == [Upload(b"\r\n--\x00\xff", "x.png")]


@pytest.mark.parametrize(
    ("sent", "name"), [("zwölf.png".encode(), "zwölf.png"), (b"zw\xf6lf.png", "zw\ufffdlf.png"), (b"", "")]
)
def test_a_file_name_may_be_of_any_encoding_or_empty(sent: bytes, name: str) -> None:
    head = b'--x\r\nContent-Disposition: form-data; name="a"; filename="' + sent + b'"\r\n\r\n'
    assert read(request_of(head + b"bytes\r\n--x--", "multipart/form-data; boundary=x")) == [Upload(b"bytes", name)]


def test_a_file_without_content_is_one() -> None:
    contents = [b"first", b"", b"last"]
    files = [("f", (f"{n}.png", content, "image/png")) for n, content in enumerate(contents)]
    assert [upload.content for upload in read(form(files))] == contents


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data; boundary====1700000000===",
        "multipart/form-data;\tboundary====1700000000===",
        'MULTIPART/FORM-DATA; charset=utf-8; boundary="===1700000000==="',
    ],
)
def test_a_boundary_may_be_odd(content_type: str) -> None:
    part = b'--===1700000000===\r\nContent-Disposition: form-data; name="a"; filename="b"\r\n\r\nbytes\r\n'
    assert read(request_of(part + b"--===1700000000===--\r\n", content_type)) == [Upload(b"bytes", "b")]


@pytest.mark.parametrize(
    ("content_type", "body", "detail"),
    [
        ("multipart/form-data", b"--x--", "is 'multipart/form-data'; a form needs a boundary"),
        ("multipart/form-data; boundary=", b"--x--", "a form needs a boundary"),
        ("multipart/form-data; boundary=y", b"--x--", "its boundary is 'y'"),
        ("multipart/form-data; boundary*=unicode_escape''%5Cud800", b"--x--", "boundary is"),
        ("multipart/form-data; boundary*=idna''x", b"--x--", "a form needs a boundary"),
        ("multipart/form-data; boundary*=%00''x", b"--x--", "a form needs a boundary"),
        ("multipart/form-data; boundary*=a; boundary*0=b", b"--x--", "a form needs a boundary"),
    ],
)
def test_what_is_wrong_with_a_boundary_is_said(content_type: str, body: bytes, detail: str) -> None:
    with pytest.raises(Problem, match=detail) as raised:
        read(request_of(body, content_type))
    assert raised.value.status == 400


@pytest.mark.parametrize("headers", [b"X: " + b"y" * 5000 + b"\r\n", b"X: y\r\n" * 8])
def test_more_headers_than_a_part_may_have_are_413(headers: bytes) -> None:
    part = b'--x\r\nContent-Disposition: form-data; name="a"; filename="b"\r\n' + headers + b"\r\nbytes\r\n--x--\r\n"
    with pytest.raises(Problem, match="a part may have 8, each of 4,224 bytes") as raised:
        read(request_of(part, "multipart/form-data; boundary=x"), Settings())
    assert raised.value.status == 413


def test_several_files_keep_their_order_and_text_fields_are_passed_over() -> None:
    files = [("image", (f"{n}.png", bytes([n]), "image/png")) for n in range(3)]
    assert read(form(files, {"note": "text"})) == [Upload(bytes([n]), f"{n}.png") for n in range(3)]


def test_a_form_without_a_file_says_what_it_has() -> None:
    encoded = b'--x\r\nContent-Disposition: form-data; name="image"\r\n\r\nhttp://example.org/7.png\r\n--x--\r\n'
    with pytest.raises(Problem, match="text fields only: 'image'") as raised:
        read(request_of(encoded, "multipart/form-data; boundary=x"))
    assert raised.value.status == 400


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", "multipart/form-data; boundary=x"),
        (b"--x--\r\n", "multipart/form-data; boundary=x"),
        (b"no boundary", "multipart/form-data"),
        (b"other", "multipart/form-data; boundary=x"),
        (
            b'--x\r\nContent-Disposition: form-data; name="a"; filename="b"\r\n\r\ncut off',
            "multipart/form-data; boundary=x",
        ),
        (b"--x\r\nno header\r\n\r\ndata\r\n--x--\r\n", "multipart/form-data; boundary=x"),
    ],
)
def test_a_malformed_form_is_400(body: bytes, content_type: str) -> None:
    with pytest.raises(Problem) as raised:
        read(request_of(body, content_type))
    assert raised.value.status == 400


def test_no_body_at_all_is_400() -> None:
    with pytest.raises(Problem, match="no body") as raised:
        read(request_of(b""))
    assert raised.value.status == 400


def test_too_many_files_are_413() -> None:
    with pytest.raises(Problem, match="4 files; the limit is 3") as raised:
        read(form([("f", (f"{n}", b"1", "image/png")) for n in range(4)]))
    assert raised.value.status == 413


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_past_the_limit_is_413_announced_or_not(announced: bool) -> None:
    body = [b"x" * 300] * 5
    with pytest.raises(Problem, match="1,500 bytes; the limit is 1,000") as raised:
        read(request_of(body, length=1500 if announced else None))
    assert raised.value.status == 413


def test_a_body_far_past_the_limit_is_not_read_to_its_end() -> None:
    chunks = [b"x" * 1000] * 1000
    with pytest.raises(Problem) as raised:
        read(request_of(chunks))
    assert raised.value.status == 413
    received = request_of([b"x"], length=10**9)
    with pytest.raises(Problem, match="1,000,000,000 bytes"):
        read(received)


def test_a_body_that_does_not_come_is_408() -> None:
    async def receive() -> dict[str, object]:
        await asyncio.sleep(10)
        return {}

    with pytest.raises(Problem, match=r"no byte of the upload came within 0\.2 s") as raised:
        read(request_by(receive, []))
    assert raised.value.status == 408


def drips(size: int, seconds: float) -> Receive:
    """A body without an end, of which `size` bytes come each so many `seconds`."""

    async def receive() -> dict[str, object]:
        await asyncio.sleep(seconds)
        return {"type": "http.request", "body": bytes(size), "more_body": True}

    return receive


def test_a_body_that_begins_and_does_not_end_in_time_is_408() -> None:
    with pytest.raises(Problem, match=r"bytes of the upload came within 0\.2 s; all must within 200 ms") as raised:
        read(request_by(drips(1, 0.05), []))
    assert raised.value.status == 408
    assert raised.value.headers == {"Connection": "close"}


def test_a_body_that_drips_is_408_long_before_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte now and then keeps no place for half a minute; one that keeps up the rate has all its time."""
    monkeypatch.setattr(upload, "GRACE_SECONDS", 0.3)
    settings = Settings(max_body_bytes=2000, read_timeout_ms=60_000)
    with pytest.raises(Problem, match=r"came within 0\.3 s; all must within 60000 ms, 1,000 a second"):
        read(request_by(drips(1, 0.05), []), settings)
    with pytest.raises(Problem, match="the limit is 2,000"):  # which it would not have reached in 0.3 s
        read(request_by(drips(200, 0.05), [(b"content-length", b"3000")]), settings)


def test_a_body_that_falls_silent_is_408_however_much_came_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a burst would buy its place for half a minute."""
    monkeypatch.setattr(upload, "GRACE_SECONDS", 0.2)
    chunks = iter([bytes(900), bytes(900)])

    async def receive() -> dict[str, object]:
        if (chunk := next(chunks, None)) is None:
            await asyncio.sleep(10)
        return {"type": "http.request", "body": chunk, "more_body": True}

    settings = Settings(max_body_bytes=20_000, read_timeout_ms=60_000)
    with pytest.raises(Problem, match=r"1,800 bytes of the upload came within 0\.2 s") as raised:
        read(request_by(receive, []), settings)
    assert raised.value.status == 408


def test_what_has_arrived_is_held_and_nothing_beyond_it() -> None:
    admission = Admission(700, "bytes of uploads", "NUMERAL_X")
    with pytest.raises(Problem, match="600 bytes of uploads are in work and 300 more would pass the limit of 700"):
        read(request_of([b"x" * 300] * 3, length=900), admission=admission)
    assert admission.admitted == 0
    # What is announced and never comes takes no room.
    with pytest.raises(Problem, match="closed the connection"):
        read(request_by(leaves, [(b"content-length", b"900")]), admission=admission)
    assert len(read(request_of([b"x" * 350] * 2), admission=admission)) == 1


async def leaves() -> dict[str, object]:
    return {"type": "http.disconnect"}


def test_a_client_that_leaves_within_its_upload_is_400() -> None:
    with pytest.raises(Problem, match="closed the connection within its upload") as raised:
        read(request_by(leaves, []))
    assert raised.value.status == 400


@pytest.mark.parametrize("length", ["9" * 5000, "-1", "1e3", "\u0663"])
def test_a_length_that_is_no_number_is_none(length: str) -> None:
    assert read(request_by(request_of(b"bytes").receive, [(b"content-length", length.encode("utf-8"))])) == [
        Upload(b"bytes")
    ]


@pytest.mark.parametrize("filler", [";", "a=b;", '"', "\\", " ", "a*0=b;"])
def test_an_endless_content_type_is_431_before_it_is_taken_apart(filler: str) -> None:
    content_type = 'multipart/form-data; boundary="' + filler * (64_000 // len(filler))
    begin = time.perf_counter()
    with pytest.raises(Problem, match="the limit is 512") as raised:
        read(request_of(b"bytes", content_type))
    assert raised.value.status == 431
    assert time.perf_counter() - begin < 0.5


@pytest.mark.parametrize("filler", [";", "a=b;", '"', "\\", " ", "a*0=b;", ';a="'])
def test_the_longest_content_type_that_is_taken_apart_is_so_at_once(filler: str) -> None:
    content_type = ('multipart/form-data; boundary="' + filler * 512)[:CONTENT_TYPE_BYTES]
    begin = time.perf_counter()
    with pytest.raises(Problem) as raised:
        read(request_of(b"bytes", content_type))
    assert raised.value.status == 400
    assert time.perf_counter() - begin < 0.1


def test_more_parts_than_a_form_may_have_are_413() -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n' * 100 + b"--x--\r\n"
    with pytest.raises(Problem, match="more than 67 parts") as raised:
        read(request_of(body, "multipart/form-data; boundary=x"), Settings(max_files=3))
    assert raised.value.status == 413
