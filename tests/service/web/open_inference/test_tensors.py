"""A tensor is what its shape and datatype say, or is refused by a sentence that says what is allowed."""

from base64 import b64encode
from typing import Any

import numpy as np
import pytest

from service.web.open_inference.tensors import LENGTH, Tensor, files_of, images_of
from service.web.open_inference.wire import RequestInput
from service.web.problem import Problem

EACH = (2, 2)


def given(datatype: str, shape: list[int], data: list[Any] | None = None) -> RequestInput:
    return RequestInput(name="x", datatype=datatype, shape=shape, data=data)


@pytest.mark.parametrize("shape", [[2, 2, 2], [-1, 2, 2]])
@pytest.mark.parametrize(
    "data", [list(range(8)), [[[0, 1], [2, 3]], [[4, 5], [6, 7]]], [[0, 1, 2, 3], [4, 5, 6, 7]]], ids=str
)
def test_images_are_read_flat_and_nested(shape: list[int], data: list[Any]) -> None:
    images = images_of(given("UINT8", shape, data), None, EACH, limit=2)
    assert images.dtype == np.uint8
    assert images.tolist() == [[[0, 1], [2, 3]], [[4, 5], [6, 7]]]


def test_images_are_read_from_bytes() -> None:
    images = images_of(given("UINT8", [1, 2, 2]), bytes([0, 1, 254, 255]), EACH, limit=2)
    assert images.tolist() == [[[0, 1], [254, 255]]]


@pytest.mark.parametrize(
    ("shape", "data", "status", "said"),
    [
        ([1, 2, 2], [0, 1, 2, 256], 400, "holds 256; allowed: whole numbers, the grey levels 0 to 255"),
        ([1, 2, 2], [0, 1, 2, -1], 400, "holds -1; allowed"),
        ([1, 2, 2], [0, 1, 2, 0.5], 400, "holds 0.5; allowed"),
        ([1, 2, 2], [0, 1, 2, True], 400, "holds True; allowed"),
        ([1, 2, 2], ["x" * 1000, 1, 2, 3], 400, f"holds '{'x' * 40}'; allowed"),
        ([1, 2, 2], [[0], 1, 2, 3], 400, "holds a list; allowed"),
        ([1, 2, 2], [[[[0]]], [[[1]]], [[[2]]], [[[3]]]], 400, "holds a list; allowed"),
        ([1, 2, 2], [0, 1, 2], 400, "has 3 elements, which do not make shape [1, 2, 2]"),
        ([2, 2, 2], [0, 1, 2, 3], 400, "has 4 elements, which do not make shape [2, 2, 2]"),
        ([-1, 2, 2], [], 400, "holds nothing"),
        ([2, 2], [0, 1, 2, 3], 400, "has shape [2, 2]; allowed: [N, 2, 2], N from 1 to 2, -1 for all"),
        ([], [0, 1, 2, 3], 400, "has shape []; allowed"),
        ([-1, 2, 2], list(range(12)), 413, "holds 3 images; the limit is 2"),
        ([3, 2, 2], [0], 413, "holds 3 images; the limit is 2"),
        ([1, 2, 2], None, 400, "has neither 'data' nor 'binary_data_size'"),
    ],
)
def test_what_is_no_image_is_refused(shape: list[int], data: list[Any] | None, status: int, said: str) -> None:
    with pytest.raises(Problem) as refused:
        images_of(given("UINT8", shape, data), None, EACH, limit=2)
    assert refused.value.status == status
    assert said in refused.value.detail


@pytest.mark.parametrize("shape", [[2], [-1], [2, 1]])
def test_files_are_read_from_base64_and_from_bytes(shape: list[int]) -> None:
    contents = [b"\x89PNG", b""]
    encoded = [b64encode(content).decode() for content in contents]
    assert files_of(given("BYTES", shape, encoded), None, limit=2) == contents
    raw = b"".join(LENGTH.pack(len(content)) + content for content in contents)
    assert files_of(given("BYTES", shape), raw, limit=2) == contents


@pytest.mark.parametrize(
    ("raw", "status", "said"),
    [
        (b"\x01", 400, "ends within element 0"),
        (LENGTH.pack(2**32 - 1) + b"x", 400, "ends within element 0, of 4,294,967,295 bytes; 1 are left"),
        (LENGTH.pack(1) + b"x" + LENGTH.pack(2) + b"y", 400, "ends within element 1"),
        (LENGTH.pack(0) * 1_000_000, 413, "holds 3 images; the limit is 2"),
    ],
)
def test_bytes_that_are_no_files_are_refused(raw: bytes, status: int, said: str) -> None:
    with pytest.raises(Problem) as refused:
        files_of(given("BYTES", [-1]), raw, limit=2)
    assert refused.value.status == status
    assert said in refused.value.detail


@pytest.mark.parametrize("text", ["!", "YQ", "YQ==\n", "é", 3, None, ["YQ=="]])
def test_what_is_no_base64_is_refused(text: object) -> None:
    with pytest.raises(Problem, match=r"as element 1; allowed in JSON: an image file in base64"):
        files_of(given("BYTES", [2], ["YQ==", text]), None, limit=2)


@pytest.mark.parametrize(
    ("datatype", "values", "expected"),
    [
        ("FP32", [0.5, 1], b"\0\0\0\x3f\0\0\x80\x3f"),
        ("INT64", [-1], b"\xff" * 8),
        ("BOOL", [True, False], b"\1\0"),
        ("BYTES", ["é", ""], b"\2\0\0\0\xc3\xa9\0\0\0\0"),
    ],
)
def test_an_answer_as_bytes(datatype: str, values: list[Any], expected: bytes) -> None:
    assert Tensor("x", datatype, [len(values)], values).as_bytes() == expected
