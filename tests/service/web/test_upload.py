"""Files are taken out of forms and raw bodies; what cannot be understood is said, with its own status."""

import asyncio

import httpx
import pytest
from starlette.requests import Request

from service.settings import Settings
from service.web.problem import Problem
from service.web.time_limit import TimeLimit
from service.web.upload import Upload, read_uploads

SETTINGS = Settings(max_body_bytes=1000, max_files=3, read_timeout_ms=200)


def request_of(body: bytes | list[bytes], content_type: str | None = None, length: int | None = None) -> Request:
    """A request whose body comes in the given chunks; without `length` it does not announce one."""
    chunks = [body] if isinstance(body, bytes) else list(body)
    headers = [(b"content-type", content_type.encode())] if content_type else []
    if length is not None:
        headers.append((b"content-length", str(length).encode()))

    async def receive() -> dict[str, object]:
        chunk = chunks.pop(0)
        return {"type": "http.request", "body": chunk, "more_body": bool(chunks)}

    return Request({"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": headers}, receive)


def form(files: list[tuple[str, tuple[str, bytes, str]]], data: dict[str, str] | None = None) -> Request:
    """The form as httpx, a client of its own, encodes it."""
    encoded = httpx.Request("POST", "http://test", files=files, data=data)
    return request_of(encoded.read(), encoded.headers["content-type"])


def read(request: Request, settings: Settings = SETTINGS) -> list[Upload]:
    async def read_within_limit() -> list[Upload]:
        return await read_uploads(request, settings, TimeLimit(settings.read_timeout_ms / 1000))

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

    request = Request({"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": []}, receive)
    with pytest.raises(Problem, match="200 ms") as raised:
        read(request)
    assert raised.value.status == 408


def test_more_parts_than_a_form_may_have_are_413() -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n' * 100 + b"--x--\r\n"
    with pytest.raises(Problem, match="more than 67 parts") as raised:
        read(request_of(body, "multipart/form-data; boundary=x"), Settings(max_files=3))
    assert raised.value.status == 413
