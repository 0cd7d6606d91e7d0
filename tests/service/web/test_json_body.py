"""Files and options come out of JSON; what is none of ours is said, before anything is decoded where it costs."""

import base64
import tracemalloc

import orjson
import pytest

from service.web.json_body import MOST_BYTES, decoded, is_json, read_json
from service.web.problem import Problem
from service.web.sent import Sent, Upload

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(60))
TEXT = base64.b64encode(PNG).decode()


def read(sent: object, max_files: int = 3) -> Sent:
    return read_json(orjson.dumps(sent), max_files)


@pytest.mark.parametrize(
    "image", [TEXT, f"data:image/png;base64,{TEXT}", f"data:;base64,{TEXT}", base64.encodebytes(PNG).decode()]
)
def test_base64_may_be_a_data_url_and_of_several_lines(image: str) -> None:
    assert read({"image": image}) == Sent([Upload(PNG)], {}, listed=False)


def test_several_are_listed_one_too() -> None:
    assert read({"images": [TEXT, "AAAA"]}) == Sent([Upload(PNG), Upload(bytes(3))], {}, listed=True)
    assert read({"images": [TEXT]}).listed


def test_options_are_as_an_address_has_them() -> None:
    sent = read({"image": TEXT, "model": "alexnet", "explain": True})
    assert sent.options == {"model": "alexnet", "explain": "true"}
    assert read({"image": TEXT, "model": None, "explain": 1}).options == {"explain": "1"}


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({}, "it must hold either 'image' or 'images'"),
        ({"image": TEXT, "images": [TEXT]}, "it must hold either 'image' or 'images'"),
        ({"picture": TEXT}, "'picture' is unknown; allowed: image, images, model, explain"),
        ({"images": []}, "'images' must be a list of at least one"),
        ({"images": TEXT}, "'images' must be a list of at least one"),
        ({"image": [TEXT]}, "image 0 must be a text in base64"),
        ({"images": [TEXT, None]}, "image 1 must be a text in base64"),
        ({"image": "no base64!"}, "image 0 is no base64: .*; it begins 'no base64!'"),
        ({"image": TEXT[:-1]}, "image 0 is no base64: .*padding"),
        ({"image": "über"}, "image 0 is no base64"),
        ({"image": "data:image/svg+xml,%3Csvg"}, "begins 'data:image/svg.xml'; allowed: data:…;base64,…"),
        ({"image": "data:image/png;base64"}, "begins 'data:image/png;base64'; allowed"),
        ({"image": TEXT, "model": ["a"]}, "'model' must be a text, true or false"),
    ],
)
def test_what_is_wrong_is_400_and_said(sent: object, said: str) -> None:
    with pytest.raises(Problem, match=said) as raised:
        read(sent)
    assert raised.value.status == 400
    assert len(raised.value.detail) < 200


@pytest.mark.parametrize("body", [b"{", b'{"image": "AAAA"', b'{"image": NaN}', b"{\xff}", b"{" * 50])
def test_json_that_is_none_is_400(body: bytes) -> None:
    with pytest.raises(Problem, match="the JSON cannot be understood: ") as raised:
        read_json(body, 3)
    assert raised.value.status == 400


def test_too_many_images_are_413() -> None:
    with pytest.raises(Problem, match="4 images; the limit is 3") as raised:
        read({"images": [TEXT] * 4})
    assert raised.value.status == 413
    assert len(read({"images": [f"data:image/png;base64,{TEXT}"] * 256, "model": "a"}, 256).uploads) == 256


@pytest.mark.parametrize("piece", [b"[]", b"{}", b"1.5", b'"a"', b"[[[[[[1]]]]]]"])
def test_what_is_not_ours_is_refused_before_it_is_parsed(piece: bytes) -> None:
    """So many small values would take hundreds."""
    body = b'{"images":[' + b",".join([piece] * (3_900_000 // (len(piece) + 1))) + b"]}"
    tracemalloc.start()
    try:
        with pytest.raises(Problem, match="commas, brackets and braces") as raised:
            read_json(body, 256)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()
    assert raised.value.status == 413


def test_more_bytes_than_base64_is_good_for_are_refused_and_another_way_is_named() -> None:
    body = b'{"image":"' + b"A" * (MOST_BYTES - 12) + b'"}'
    assert len(read_json(body, 1).uploads[0].content) == 3 * (MOST_BYTES - 12) // 4
    with pytest.raises(Problem, match=r"4,000,001 bytes; the limit is 4,000,000: .* raw or as a form") as raised:
        read_json(body + b" ", 1)
    assert raised.value.status == 413


def test_base64_is_decoded_as_it_stands() -> None:
    image = "AAAA" * 1_000_000
    tracemalloc.start()
    try:
        assert len(decoded(image, 0)) == 3_000_000
        assert tracemalloc.get_traced_memory()[1] < len(image), "what is made of it, and no copy of itself"
    finally:
        tracemalloc.stop()


def test_line_ends_take_no_memory_of_their_own() -> None:
    image = "AAAA\n" * 800_000
    tracemalloc.start()
    try:
        assert len(decoded(image, 0)) == 2_400_000
        assert tracemalloc.get_traced_memory()[1] < 4 * len(image)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        ("application/json", b' {"image"', True),
        ("Application/JSON; charset=utf-8", b"{", True),
        ("application/json", PNG, False),
        ("image/png", b"{", False),
        ("", b"{", False),
    ],
)
def test_a_picture_is_one_under_any_type(content_type: str, body: bytes, expected: bool) -> None:
    assert is_json(content_type, body) == expected
