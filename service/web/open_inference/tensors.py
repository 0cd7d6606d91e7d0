"""The tensors of the protocol: what a request holds, flat lists or bytes, and what an answer does."""

import binascii
import itertools
import math
import struct
from base64 import b64decode
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.web.open_inference.wire import RequestInput
from service.web.problem import Problem

# Before each element of a BYTES tensor that is sent as bytes: its length.
LENGTH = struct.Struct("<I")

DTYPES = {"FP32": "<f4", "INT64": "<i8", "BOOL": "?"}


class Tensor(NamedTuple):
    """`values`: all of them, in row-major order."""

    name: str
    datatype: str
    shape: list[int]
    values: list[Any]

    def described(self) -> dict[str, Any]:
        return {"name": self.name, "datatype": self.datatype, "shape": self.shape}

    def as_bytes(self) -> bytes:
        """Numbers in little-endian order; texts in UTF-8, each behind its length."""
        if self.datatype != "BYTES":
            return np.asarray(self.values, DTYPES[self.datatype]).tobytes()
        texts = [value.encode() for value in self.values]
        return b"".join(part for text in texts for part in (LENGTH.pack(len(text)), text))


def images_of(given: RequestInput, raw: bytes | None, each: tuple[int, ...], limit: int) -> NDArray[np.uint8]:
    """uint8 [N, *each], N up to `limit`. `raw`: the tensor where it was sent as bytes.

    Raises Problem: 400 where it is not what its input says, 413 past the limit.
    """
    if raw is None:
        values = flat(given)
        count_of(given, each, len(values), limit)
        raw = levels(given, values)
    count = count_of(given, each, len(raw), limit)
    return np.frombuffer(raw, np.uint8).reshape(count, *each)


def files_of(given: RequestInput, raw: bytes | None, limit: int) -> list[bytes]:
    """N, up to `limit`. Raises Problem as `images_of`."""
    texts = flat(given) if raw is None else split(given, raw, limit)
    count_of(given, tuple(given.shape[1:2]) if given.shape[1:] == [1] else (), len(texts), limit)
    return texts if raw is not None else [decoded(given, number, text) for number, text in enumerate(texts)]


def count_of(given: RequestInput, each: tuple[int, ...], elements: int, limit: int) -> int:
    """How many items `elements` make, each of the shape `each`."""
    expected = ["N", *each]
    if len(given.shape) != len(expected) or tuple(given.shape[1:]) != each:
        raise wrong(given, f"has shape {given.shape}; allowed: {shown(expected)}, N from 1 to {limit}, -1 for all")
    count, rest = divmod(elements, math.prod(each))
    said = given.shape[0]
    if max(said, count) > limit:
        detail = f"input {given.name[:40]!r} holds {max(said, count):,} images; the limit is {limit}"
        raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)
    if rest or said not in (-1, count):
        raise wrong(given, f"has {elements:,} elements, which do not make shape {given.shape}")
    if not count:
        raise wrong(given, "holds nothing")
    return count


def shown(shape: Sequence[object]) -> str:
    return f"[{', '.join(map(str, shape))}]"


def flat(given: RequestInput) -> list[Any]:
    """What `data` holds, without the lists within it."""
    if given.data is None:
        raise wrong(given, "has neither 'data' nor 'binary_data_size'")
    values = given.data
    for _ in given.shape[1:]:
        if set(map(type, values)) == {list}:
            values = list(itertools.chain.from_iterable(values))
    return values


def levels(given: RequestInput, values: list[Any]) -> bytes:
    """No array of numpy is made of what may be anything: of one long text and many numbers it would make many texts."""
    try:
        if set(map(type, values)) == {int}:
            return bytes(values)
    except ValueError:  # one of them is no byte
        pass
    odd = next(value for value in values if type(value) is not int or not 0 <= value <= 255)
    raise wrong(given, f"of datatype UINT8 holds {brief(odd)}; allowed: whole numbers, the grey levels 0 to 255")


def split(given: RequestInput, raw: bytes, limit: int) -> list[bytes]:
    """The elements of a BYTES tensor."""
    texts: list[bytes] = []
    at = 0
    while at < len(raw) and len(texts) <= limit:
        begin = at + LENGTH.size
        length = LENGTH.unpack_from(raw, at)[0] if begin <= len(raw) else 0
        at = begin + length
        if at > len(raw):
            left = len(raw) - begin
            raise wrong(given, f"ends within element {len(texts)}, of {length:,} bytes; {max(left, 0):,} are left")
        texts.append(raw[begin:at])
    return texts


def decoded(given: RequestInput, number: int, text: object) -> bytes:
    try:
        if isinstance(text, str):
            return b64decode(text, validate=True)
    except (binascii.Error, ValueError):  # the second: of no ASCII
        pass
    raise wrong(given, f"has {brief(text)} as element {number}; allowed in JSON: an image file in base64")


def brief(value: object) -> str:
    """Not all of a list or a text that may be long."""
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    return f"{value[:40]!r}" if isinstance(value, str) else f"{value!r}"[:40]


def wrong(given: RequestInput, detail: str) -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, f"input {given.name[:40]!r} {detail}")
