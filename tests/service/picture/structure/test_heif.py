"""HEIF and AVIF that no writer here makes: turns in any order, grids at their limits, and what is refused by name."""

import struct
from itertools import product

import pytest
from PIL import Image

from service.picture.decode import decode
from service.picture.fault import FaultKind, Unreadable
from service.picture.structure import av1, hevc
from service.picture.structure.limits import Limits
from service.picture.structure.scan import strip
from tests.harness import encode
from tests.hostile_heif import (
    box,
    coded,
    file_of,
    found,
    full,
    grid,
    plain,
    saved,
    size_property,
    tiles_of_the_same_bytes,
)

LIMITS = Limits(16_000_000)

# What a box of each value does, in Pillow's words.
ROTATIONS = {0: None, 1: Image.Transpose.ROTATE_90, 2: Image.Transpose.ROTATE_180, 3: Image.Transpose.ROTATE_270}
MIRRORS = {0: Image.Transpose.FLIP_TOP_BOTTOM, 1: Image.Transpose.FLIP_LEFT_RIGHT}


def picture(*more: bytes, kind: bytes = b"hvc1") -> bytes:
    """A square that is darker in one corner, with properties behind its own."""
    image = Image.new("L", (64, 64), 255)
    image.paste(0, (0, 0, 40, 20))
    whole = saved(image, "HEIF", quality=90)
    properties = [size_property(64, 64), box(b"hvcC", found(whole, b"hvcC")), *more]
    return file_of([(kind, range(1, 1 + len(properties)), ())], properties, [found(whole, b"mdat")])


def pixels(content: bytes) -> Image.Image:
    return decode(strip(content, LIMITS), at_least=1000).convert("L")


@pytest.mark.parametrize(("angle", "axis"), list(product(ROTATIONS, MIRRORS)))
@pytest.mark.parametrize("rotated_first", [True, False])
def test_turns_and_mirrors_are_done_in_their_order(angle: int, axis: int, rotated_first: bool) -> None:
    turns = [(box(b"irot", bytes([angle])), ROTATIONS[angle]), (box(b"imir", bytes([axis])), MIRRORS[axis])]
    turns = turns if rotated_first else turns[::-1]
    expected = pixels(picture())
    for _, how in turns:
        expected = expected if how is None else expected.transpose(how)
    assert pixels(picture(*(one for one, _ in turns))).tobytes() == expected.tobytes()


def test_a_grid_is_as_its_tiles_are() -> None:
    """The last of them reach over its edges."""
    stripped = strip(grid(2, 3, (180, 100)), LIMITS)
    assert stripped[2:4] == (180, 100)
    assert decode(stripped, at_least=1000).size == (180, 100)


@pytest.mark.parametrize(
    ("content", "kind", "said"),
    [
        (picture(kind=b"vvc1"), FaultKind.DAMAGED, r"item of kind b'vvc1'; supported: hvc1, av01, grid"),
        (plain((16_000, 1001)), FaultKind.TOO_LARGE, "16,016,000 pixels; the limit is 16,000,000"),
        (grid(2, 2, (64, 64)), FaultKind.DAMAGED, "2 tiles of 64 pixels do not just cover 64"),
        (grid(22, 22, (1400, 1400)), FaultKind.TOO_LARGE, "484 tiles; the limit is 480"),
        (tiles_of_the_same_bytes(), FaultKind.DAMAGED, "the data of its items are .* more than all the file"),
        (plain()[:-9], FaultKind.DAMAGED, "cut off"),
    ],
)
def test_what_is_not_read_is_said(content: bytes, kind: FaultKind, said: str) -> None:
    with pytest.raises(Unreadable, match=said) as raised:
        strip(content, LIMITS)
    assert raised.value.fault.kind is kind


def test_a_property_that_changes_what_is_seen_and_is_not_known_is_said() -> None:
    """Bit 8 of its place in the list says so."""
    parameters, data = coded()
    properties = [size_property(64, 64), box(b"hvcC", parameters), box(b"evil", b"")]
    assert strip(file_of([(b"hvc1", (1, 2, 3), ())], properties, [data]), LIMITS).width == 64
    with pytest.raises(Unreadable, match=r"its property b'evil'"):
        strip(file_of([(b"hvc1", (1, 2, 3 | 128), ())], properties, [data]), LIMITS)


@pytest.mark.parametrize("kind", ["HEIF", "AVIF"])
def test_transparency_and_thumbnails_are_within_the_bytes_of_a_file(kind: str) -> None:
    image = Image.radial_gradient("L").convert("RGBA")
    image.putalpha(Image.linear_gradient("L"))
    more = {"thumbnails": [64]} if kind == "HEIF" else {}
    stripped = strip(saved(image, kind, quality=90, **more), LIMITS)
    assert decode(stripped, at_least=1000).getchannel("A").getextrema() == (0, 255)


def test_nothing_but_the_picture_is_left() -> None:
    secret = b"where it was taken"
    whole = plain(more=[full(b"xml ", secret)], behind=box(b"uuid", secret))
    assert secret in whole
    assert secret not in strip(whole, LIMITS).content


SIZES = [(64, 64), (120, 90), (1000, 700)]


@pytest.mark.parametrize("size", SIZES)
def test_the_size_in_hevc_is_found(size: tuple[int, int]) -> None:
    """It may be filled up to whole blocks."""
    content = encode(Image.new("RGB", size), "HEIF")
    (coded_size,) = hevc.sizes_in_configuration(found(content, b"hvcC"), iter(range(100)))
    assert all(said <= coded < said + 16 for said, coded in zip(size, coded_size, strict=True))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("moving", [False, True])
def test_the_size_in_av1_is_found(size: tuple[int, int], moving: bool) -> None:
    """The header of a film is another than that of a still picture."""
    more = {"save_all": True, "append_images": [Image.new("RGB", size, "red")]} if moving else {}
    stripped = strip(saved(Image.new("RGB", size), "AVIF", **more), LIMITS)
    data, sizes = av1.only_picture(found(stripped.content, b"mdat"), iter(range(100)))
    assert set(sizes) == {size}
    assert data == found(stripped.content, b"mdat")


def test_a_picture_that_is_larger_than_its_box_says_is_too_large() -> None:
    whole = encode(Image.new("L", (640, 640)), "AVIF")
    small = whole.replace(struct.pack(">2I", 640, 640), struct.pack(">2I", 64, 64))
    with pytest.raises(Unreadable, match="64×64 pixels is coded as one of 640×640") as raised:
        strip(small, LIMITS)
    assert raised.value.fault.kind is FaultKind.TOO_LARGE
