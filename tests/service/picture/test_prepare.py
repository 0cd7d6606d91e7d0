"""Whatever bytes come, `prepare` answers with a value: soon, in little memory, and it keeps nothing of them."""

import gc
import random
import resource
import subprocess
import sys
import time
import warnings
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from service.picture import ink_finder
from service.picture import prepare as room
from service.picture.fault import FaultKind
from service.picture.normalise import CANONICAL
from service.picture.prepare import Prepared, Wanted, is_quick, prepare, warm_up
from service.picture.structure.scan import FORMATS
from tests.harness import ROOT, Digits, encode, png, png_header, sample_digits
from tests.hostile import HOSTILE, LARGEST

DIGITS = Wanted(reads_digits=True, shape=(28, 28), max_pixels=16_000_000)
COLOURS = Wanted(reads_digits=False, shape=(3, 32, 32), max_pixels=16_000_000)

# Seconds: several times what each takes, so that a loaded machine passes too.
SOON = 2.0
# Bytes: 214 million are the most that one takes.
MEMORY = 300_000_000

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def kind_of(prepared: Prepared) -> FaultKind | None:
    return prepared.fault.kind if prepared.fault else None


def test_a_digit_is_ready_for_the_network(digits: Digits) -> None:
    prepared = prepare(png(digits.pick(7)), DIGITS)
    assert np.array_equal(prepared.pixels, digits.pick(7)[None])  # type: ignore[arg-type]  # it is there
    assert prepared[1:6] == ((CANONICAL,), (), None, None, None)
    assert prepared.decode_seconds > 0
    assert prepared.normalise_seconds > 0


@pytest.mark.parametrize("kind", FORMATS)
def test_a_network_of_other_things_gets_its_shape(digits: Digits, kind: str) -> None:
    prepared = prepare(encode(digits.pick(7), kind), COLOURS)
    assert prepared.pixels is not None
    assert prepared.pixels.shape == (1, 3, 32, 32)
    assert prepared.pixels.dtype == np.uint8


def test_a_blank_page_has_a_reason_and_no_fault() -> None:
    prepared = prepare(png(Image.new("L", (200, 200), 220)), DIGITS)
    assert prepared.pixels is None
    assert prepared.fault is None
    assert prepared.reason is not None
    assert prepared.reason.startswith("blank: ")


@pytest.mark.parametrize(
    ("content", "kind", "said"),
    [
        (b"", FaultKind.EMPTY, "the file is empty (0 bytes)"),
        (b"text", FaultKind.UNSUPPORTED, "supported: PNG, JPEG, WEBP, BMP, GIF, TIFF, HEIF, AVIF"),
        (png_header(12_000, 12_000), FaultKind.TOO_LARGE, "144,000,000 pixels; the limit is 16,000,000"),
        (b"\x89PNG\r\n\x1a\n and no more", FaultKind.DAMAGED, "the file starts as PNG but cannot be decoded: "),
        (b"BM and no more", FaultKind.DAMAGED, "the file starts as BMP but cannot be decoded: "),
        (png(np.zeros((9, 9), np.uint8))[:46], FaultKind.DAMAGED, "the file starts as PNG but cannot be decoded: "),
    ],
)
def test_each_fault_has_its_kind_and_says_why(content: bytes, kind: FaultKind, said: str) -> None:
    prepared = prepare(content, DIGITS)
    assert prepared.pixels is None
    assert prepared.reason is None
    assert prepared.fault is not None
    assert prepared.fault.kind is kind
    assert said in prepared.fault.detail


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.8])
def test_a_truncated_file_is_damaged_wherever_it_ends(kind: str, share: float) -> None:
    content = encode(Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)), kind)
    assert kind_of(prepare(content[: int(len(content) * share)], DIGITS)) is FaultKind.DAMAGED


@pytest.mark.parametrize("kind", FORMATS)
def test_what_is_too_large_is_said_before_what_is_damaged(kind: str) -> None:
    content = encode(Image.new("L", (300, 300)), kind)
    limited = DIGITS._replace(max_pixels=10_000)
    whole, part = prepare(content, limited), prepare(content[: -len(content) // 8], limited)
    assert kind_of(whole) is FaultKind.TOO_LARGE
    # The directory that says how large a TIFF is comes behind its pixels.
    assert kind == "TIFF" or whole.fault == part.fault


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "WEBP", "PNG"])
@pytest.mark.parametrize("several", [True, False])
def test_of_several_frames_the_first_is_read_and_a_note_says_so(digits: Digits, kind: str, several: bool) -> None:
    frames = [Image.fromarray(digits.pick(label)).resize((84, 84)) for label in (3, 8)]
    both, alone = BytesIO(), BytesIO()
    frames[0].save(both, kind, save_all=several, append_images=frames[1:] if several else [], lossless=True)
    frames[0].save(alone, kind, lossless=True)
    prepared = prepare(both.getvalue(), DIGITS)
    assert prepared.note == ("only the first of several frames was read" if several else None)
    assert np.array_equal(prepared.pixels, prepare(alone.getvalue(), DIGITS).pixels)  # type: ignore[arg-type]  # a digit


def test_what_pillow_raises_on_odd_content_is_the_files_own_fault() -> None:
    """It raises whatever its parsers run into: here a KeyError, as no table says what to do with 9 bits of grey."""
    odd = HOSTILE["TIFF of samples of many bits"]().replace(
        b"\x02\x01\x03\0\x01\0\0\0\xff\xff", b"\x02\x01\x03\0\x01\0\0\0\x09\0"
    )
    prepared = prepare(odd, DIGITS)
    assert kind_of(prepared) is FaultKind.DAMAGED
    assert prepared.fault is not None
    assert "TIFF but cannot be decoded: " in prepared.fault.detail


@pytest.mark.parametrize("place", ["decode", "normalise", "resize"])
def test_what_cannot_be_decoded_or_normalised_harms_no_other(
    monkeypatch: pytest.MonkeyPatch, digits: Digits, place: str
) -> None:
    """Any exception at all, because kornia-rs and Pillow raise any, and the process is not this file's alone."""
    said = {"decode": "the file starts as BMP but cannot be decoded: odd"}
    normalised = "the image of mode L and 28×28 pixels cannot be normalised: odd"

    def fail(*_: object, **__: object) -> None:
        raise LookupError("odd")

    monkeypatch.setattr(room, place, fail)
    prepared = prepare(encode(digits.pick(3), "BMP"), COLOURS if place == "resize" else DIGITS)
    assert prepared.fault == (FaultKind.DAMAGED, said.get(place, normalised))


@pytest.mark.parametrize("place", ["read_plain_png", "strip", "decode", "normalise"])
def test_too_little_memory_is_no_fault_of_the_file(monkeypatch: pytest.MonkeyPatch, digits: Digits, place: str) -> None:
    def fail(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(room, place, fail)
    content = png(digits.pick(3)) if place == "read_plain_png" else encode(digits.pick(3), "BMP")
    with pytest.raises(MemoryError):
        prepare(content, DIGITS)


def test_an_array_that_is_too_large_is_too_little_memory(digits: Digits) -> None:
    """numpy's own exception is a MemoryError, and Pillow raises that itself."""
    with pytest.raises(MemoryError):
        np.zeros(2**60, np.uint8)
    with pytest.raises(MemoryError):
        Image.new("L", (2**31 - 1, 2**31 - 1))


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_made_to_cost_ends_soon_and_leaves_nothing(name: str) -> None:
    """No warning for a log, and nothing that waits for the garbage collector."""
    content = HOSTILE[name]()
    prepare(content, DIGITS)
    gc.collect()
    for wanted in (DIGITS, COLOURS):
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            start = time.perf_counter()
            prepared = prepare(content, wanted)
            assert time.perf_counter() - start < SOON / 2
        assert not warned
        assert prepared.fault is None or len(prepared.fault.detail) < 300
    assert gc.collect() == 0


@pytest.mark.parametrize("name", [name for name in HOSTILE if "claimed" in name or "larger than its screen" in name])
def test_a_bomb_of_every_format_is_too_large(name: str) -> None:
    assert kind_of(prepare(HOSTILE[name](), DIGITS)) is FaultKind.TOO_LARGE


def test_the_bombs_are_of_every_format() -> None:
    assert {name.split()[0] for name in HOSTILE if "claimed" in name} | {"GIF"} == set(FORMATS)
    assert {name.split()[0] for name in LARGEST} == set(FORMATS)


@pytest.mark.parametrize("name", LARGEST)
def test_the_largest_that_is_allowed_is_read_soon(name: str) -> None:
    content = LARGEST[name]()
    start = time.perf_counter()
    assert prepare(content, DIGITS).fault is None
    assert time.perf_counter() - start < SOON


MEASURE = """
import pathlib, sys
from service.picture.prepare import Wanted, prepare, warm_up
digits = Wanted(reads_digits=True, shape=(28, 28), max_pixels=16_000_000)
colours = Wanted(reads_digits=False, shape=(3, 32, 32), max_pixels=16_000_000)
content = sys.stdin.buffer.read()
def peak():
    return int(pathlib.Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
warm_up()
print(peak())
for wanted in (digits, colours):
    prepare(content, wanted)
print(peak())
"""


def most_memory(content: bytes) -> int:
    """Bytes by which a process that prepares `content` grows at its largest."""
    run = subprocess.run(
        [sys.executable, "-c", MEASURE], input=content, cwd=ROOT, capture_output=True, check=True, timeout=60
    )
    before, after = map(int, run.stdout.split())
    return (after - before) * 1024


@linux
@pytest.mark.parametrize("name", LARGEST)
def test_the_largest_that_is_allowed_fits_into_memory(name: str) -> None:
    assert most_memory(LARGEST[name]()) < MEMORY


@linux
def test_memory_is_measured() -> None:
    """As much as the pixels themselves take is seen."""
    assert most_memory(LARGEST["PNG of 16 bits in four colours"]()) > 64_000_000


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@linux
@pytest.mark.parametrize("kind", ["text", *FORMATS, "plain PNG"])
def test_of_files_that_were_refused_nothing_stays_in_memory(kind: str) -> None:
    """A traceback in a cycle would keep each file until the next full collection, which is rare."""
    extra = random.Random(0).randbytes(4_000_000)
    start = {"text": b"text", "plain PNG": png(np.zeros((28, 28), np.uint8))[:50]}.get(kind) or encode(
        Image.radial_gradient("L"), kind
    )[:-500]
    prepare(start + extra, DIGITS)
    gc.collect()
    gc.disable()
    try:
        before = resident_bytes()
        for number in range(50):
            content = start + number.to_bytes(4, "big") + extra
            for wanted in (DIGITS, COLOURS, DIGITS._replace(max_pixels=100)):
                prepare(content, wanted)
        assert resident_bytes() - before < 20_000_000
    finally:
        gc.enable()


def real(kind: str, seed: int) -> bytes:
    digit = Image.fromarray(sample_digits().images[seed % 5000]).resize((20 + seed % 40, 30))
    options: dict[str, dict[str, object]] = {
        "JPEG": {"progressive": seed % 2},
        "TIFF": {"compression": ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"][seed % 5]},
        "WEBP": {"lossless": seed % 2},
    }
    exif = Image.Exif()
    exif[0x0112] = 1 + seed % 8
    file = BytesIO()
    more = [digit.rotate(90)] if seed % 3 == 0 and kind in ("PNG", "GIF", "TIFF", "WEBP") else []
    several = {"save_all": True, "append_images": more} if more else {}
    image = digit.convert("P") if seed % 4 == 1 and kind in ("PNG", "BMP", "GIF") else digit
    image.save(file, kind, **options.get(kind, {}), **several, **({} if kind in ("BMP", "GIF") else {"exif": exif}))
    return file.getvalue()


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(FORMATS),
    st.integers(0, 10_000),
    st.lists(
        st.tuples(st.floats(0, 1), st.integers(0, 255), st.sampled_from(["set", "cut", "repeat", "ones"])), max_size=6
    ),
    st.sampled_from([DIGITS, COLOURS]),
)
def test_a_file_that_was_changed_anywhere_is_answered_soon(
    kind: str, seed: int, changes: list[tuple[float, int, str]], wanted: Wanted
) -> None:
    content = bytearray(real(kind, seed))
    for share, value, change in changes:
        place = int(share * max(0, len(content) - 1))
        if change == "set":
            content[place : place + 1] = bytes([value])
        elif change == "ones":
            content[place : place + 4] = b"\xff\xff\xff\xff"
        elif change == "cut":
            del content[place : place + value]
        else:
            content[place:place] = bytes(content[place : place + value]) * 3
    start = time.perf_counter()
    prepared = prepare(bytes(content), wanted)
    assert time.perf_counter() - start < SOON
    assert sum(part is not None for part in (prepared.pixels, prepared.reason, prepared.fault)) == 1
    if is_quick(bytes(content)):
        assert prepared.decode_seconds + prepared.normalise_seconds < SOON / 10


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(FORMATS), st.binary(max_size=300))
def test_bytes_behind_a_signature_are_answered(kind: str, rest: bytes) -> None:
    start = real(kind, 0)
    for length in (4, 12, 30):
        assert prepare(start[:length] + rest, DIGITS).pixels is None or length == 30


@pytest.mark.parametrize("kind", [kind for kind in FORMATS if kind not in ("TIFF", "HEIF", "AVIF")])
def test_small_files_are_quick_and_larger_ones_are_not(digits: Digits, kind: str) -> None:
    assert is_quick(encode(digits.pick(3), kind))
    assert not is_quick(encode(Image.fromarray(digits.pick(3)).resize((32, 33)), kind))
    assert not is_quick(encode(digits.pick(3), kind) + bytes(64_000))


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "group4"])
def test_a_tiff_is_never_quick(compression: str) -> None:
    file = BytesIO()
    Image.new("1", (8, 8)).save(file, "TIFF", compression=compression)
    assert not is_quick(file.getvalue())


@pytest.mark.parametrize("kind", ["HEIF", "AVIF"])
def test_what_is_coded_as_video_is_never_quick(kind: str) -> None:
    assert not is_quick(encode(Image.new("L", (8, 8)), kind))


@pytest.mark.parametrize("content", [b"", b"text", b"BM", png_header(12_000, 12_000)])
def test_what_is_not_sure_is_not_quick(content: bytes) -> None:
    assert not is_quick(content)


@pytest.mark.parametrize("name", [*HOSTILE, *LARGEST])
def test_nothing_that_costs_is_quick(name: str) -> None:
    content = (HOSTILE | LARGEST)[name]()
    start = time.perf_counter()
    quick = is_quick(content)
    assert time.perf_counter() - start < SOON / 10
    if quick:
        prepared = prepare(content, DIGITS)
        assert prepared.decode_seconds + prepared.normalise_seconds < SOON / 10


def test_what_cannot_be_warmed_up_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    warm_up()
    monkeypatch.setattr("service.picture.ink_finder.FILE", "nowhere.onnx")
    ink_finder.session.cache_clear()
    with pytest.raises(RuntimeError, match=r"nowhere\.onnx"):
        warm_up()
    monkeypatch.undo()
    ink_finder.session.cache_clear()
    warm_up()
