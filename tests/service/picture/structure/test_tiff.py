"""TIFFs that Pillow reads and does not write: tiles, planes, both byte orders, tags that are missing."""

import zlib
from io import BytesIO
from typing import Literal

import numpy as np
import pytest
from PIL import Image

from service.picture.decode import decode
from service.picture.fault import FaultKind, Unreadable
from service.picture.structure.limits import Limits
from service.picture.structure.scan import strip
from tests.hostile import LONG, SHORT, Tag, tiff_directory, tiff_file

LIMITS = Limits(16_000_000)
RNG = np.random.default_rng(0)


def assert_read_as_by_pillow(content: bytes) -> Image.Image:
    ours, theirs = decode(strip(content, LIMITS), at_least=1000), Image.open(BytesIO(content))
    assert ours.mode == theirs.mode
    assert np.array_equal(np.asarray(ours), np.asarray(theirs))
    return ours


def tiles(pixels: np.ndarray, side: int) -> list[bytes]:
    """Of grey pixels, those at the edges filled up."""
    height, width = (-(-length // side) * side for length in pixels.shape)
    whole = np.zeros((height, width), np.uint8)
    whole[: pixels.shape[0], : pixels.shape[1]] = pixels
    return [
        whole[top : top + side, left : left + side].tobytes()
        for top in range(0, height, side)
        for left in range(0, width, side)
    ]


@pytest.mark.parametrize("side", [16, 32, 256, 512])
@pytest.mark.parametrize("compression", [1, 8])
def test_tiles_are_read(side: int, compression: int) -> None:
    pixels = RNG.integers(0, 256, (50, 70), np.uint8)
    parts = [zlib.compress(tile) if compression == 8 else tile for tile in tiles(pixels, side)]
    offsets = [8 + sum(map(len, parts[:number])) for number in range(len(parts))]
    tags: list[Tag] = [
        (322, SHORT, [side]),
        (323, SHORT, [side]),
        (324, LONG, offsets),
        (325, LONG, [len(part) for part in parts]),
    ]
    content = tiff_file(b"".join(parts), *tags, size=(70, 50), compression=compression)
    assert np.array_equal(np.asarray(assert_read_as_by_pillow(content)), pixels)


@pytest.mark.parametrize("compression", [1, 8])
def test_planes_are_read(compression: int) -> None:
    pixels = RNG.integers(0, 256, (3, 20, 30), np.uint8)
    parts = [zlib.compress(plane.tobytes()) if compression == 8 else plane.tobytes() for plane in pixels]
    offsets = [8 + sum(map(len, parts[:number])) for number in range(3)]
    tags: list[Tag] = [
        (258, SHORT, [8, 8, 8]),
        (262, SHORT, [2]),
        (273, LONG, offsets),
        (277, SHORT, [3]),
        (279, LONG, [len(part) for part in parts]),
        (284, SHORT, [2]),
    ]
    content = tiff_file(b"".join(parts), *tags, size=(30, 20), compression=compression)
    assert np.array_equal(np.moveaxis(np.asarray(assert_read_as_by_pillow(content)), -1, 0), pixels)


@pytest.mark.parametrize("kind", [np.uint16, np.int16, np.float32, np.uint8])
@pytest.mark.parametrize("order", ["<", ">"])
def test_numbers_of_either_byte_order_are_read(kind: type[np.generic], order: Literal["<", ">"]) -> None:
    pixels = RNG.integers(0, 100, (20, 30)).astype(np.dtype(kind).newbyteorder(order))
    form = {"u": 1, "i": 2, "f": 3}[np.dtype(kind).kind]
    tags: list[Tag] = [(339, SHORT, [form])]
    content = tiff_file(pixels.tobytes(), *tags, size=(30, 20), bits=8 * np.dtype(kind).itemsize, order=order)
    assert np.array_equal(np.asarray(assert_read_as_by_pillow(content)), pixels)


def test_a_single_strip_needs_no_length() -> None:
    pixels = bytes(range(200)) * 3
    whole = tiff_file(pixels, size=(30, 20))
    without = tiff_directory(
        [(256, LONG, [30]), (257, LONG, [20]), (258, SHORT, [8]), (262, SHORT, [1]), (273, LONG, [8])], 608
    )
    assert np.array_equal(
        np.asarray(decode(strip(whole, LIMITS), 1000)), np.asarray(decode(strip(whole[:608] + without, LIMITS), 1000))
    )


@pytest.mark.parametrize(
    ("tag", "kind", "said"),
    [
        ((259, SHORT, [34925]), FaultKind.DAMAGED, "its compression is number 34925; supported: 1, 2, 3, 4, 5, 7, 8, "),
        ((273, LONG, [10_000]), FaultKind.DAMAGED, "its pixels lie outside of the file"),
        ((279, LONG, [10_000]), FaultKind.DAMAGED, "its pixels lie outside of the file"),
        ((278, LONG, [1]), FaultKind.DAMAGED, "it has 1 strips or tiles; 28 make its picture"),
        ((278, LONG, [0]), FaultKind.DAMAGED, "its strips or tiles have no size"),
        ((257, LONG, [0]), FaultKind.DAMAGED, "it is of 28×0 pixels"),
        ((258, SHORT, [8] * 9), FaultKind.TOO_LARGE, "tag 258 of the TIFF has 9 values; the limit is 8"),
    ],
)
def test_what_is_refused_says_why(tag: Tag, kind: FaultKind, said: str) -> None:
    with pytest.raises(Unreadable) as raised:
        strip(tiff_file(bytes(784), tag), LIMITS)
    assert raised.value.fault.kind is kind
    assert said in raised.value.fault.detail
