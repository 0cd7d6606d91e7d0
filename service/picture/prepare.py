"""The one way from the bytes of a file to what a network takes."""

import hashlib
import time
from io import BytesIO
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.picture.decode import decode
from service.picture.fault import Fault, FaultKind, Unreadable
from service.picture.grey import WORKING_SIDE
from service.picture.normalise import Normalised, normalise, normalise_grey
from service.picture.plain_png import is_plain_png, read_plain_png
from service.picture.resize import resize
from service.picture.structure.limits import Limits, damaged
from service.picture.structure.scan import QUICK_FORMATS, format_of, strip

# What is up to this takes about as long to prepare as the way to another process and back, or a millisecond or two
# where its ink has to be found: bytes of the file and of what its scan leaves of it, pixels, parts of its structure.
QUICK_BYTES = 64_000
QUICK_STRIPPED_BYTES = 16_000
QUICK = Limits(pixels=32 * 32, parts=64)


class Wanted(NamedTuple):
    """What the network takes, and the limit that a picture's width times its height must keep."""

    reads_digits: bool
    shape: tuple[int, ...]
    max_pixels: int


class Prepared(NamedTuple):
    """Of `pixels`, `reason` and `fault` exactly one is there.

    `pixels` are ready for the network, uint8 [K, *Wanted.shape]: K candidates for one and the same picture, with what
    each assumes; `dropped` says what else was assumed, and why that gives none. `reason` says why there is nothing to
    read in a picture, `fault` why a file cannot be read at all, `note` that only a part of the file was looked at.
    `sha256` is of the file where it can be read, in hexadecimal.
    """

    pixels: NDArray[np.uint8] | None
    assumed: tuple[str, ...]
    dropped: tuple[tuple[str, str], ...]
    reason: str | None
    note: str | None
    fault: Fault | None
    decode_seconds: float
    normalise_seconds: float
    sha256: str = ""


def prepare(content: bytes, wanted: Wanted) -> Prepared:
    """Raises nothing but MemoryError: whatever else an odd file leads to is that file's own trouble."""
    start = time.perf_counter()
    image: Image.Image | None = None
    try:
        plain = read_plain_png(content, wanted.max_pixels) if wanted.reads_digits else None
        if plain is not None:
            decoded = time.perf_counter()
            height, width = plain.shape
            return made(content, normalise_grey(plain.astype(np.float32), (width, height)), None, start, decoded)
        least_side = 2 * max(WORKING_SIDE, wanted.shape[-1])
        stripped = strip(content, Limits(wanted.max_pixels, least_side=least_side))
        image = decode(stripped, at_least=least_side)
        decoded = time.perf_counter()
        normalised = normalise(image) if wanted.reads_digits else as_it_is(resize(image, wanted.shape))
        note = "only the first of several frames was read" if stripped.several else None
        return made(content, normalised, note, start, decoded)
    except MemoryError:
        raise
    except Unreadable as unreadable:
        return failed(unreadable.fault, start)
    except Exception as error:  # on hostile content Pillow's plugins raise anything, and kornia-rs Exception itself
        return failed(fault_of(error, content, image), start)


def made(content: bytes, normalised: Normalised, note: str | None, start: float, decoded: float) -> Prepared:
    """`start`, `decoded`: of `time.perf_counter`."""
    seconds = time.perf_counter() - decoded
    digits, assumed, reason, dropped = normalised
    sha256 = hashlib.sha256(content).hexdigest()
    return Prepared(digits, assumed, dropped, reason, note, None, decoded - start, seconds, sha256)


def as_it_is(pixels: NDArray[np.uint8]) -> Normalised:
    """Of something else than digits."""
    return Normalised(pixels[np.newaxis], ("the picture as it is",))


def failed(fault: Fault, start: float) -> Prepared:
    return Prepared(None, (), (), None, None, fault, time.perf_counter() - start, 0.0)


def fault_of(error: Exception, content: bytes, image: Image.Image | None) -> Fault:
    """`image`: None where it could not be decoded."""
    if image is None:
        return damaged(format_of(content) or "image", error).fault
    what = f"the image of mode {image.mode} and {image.width}×{image.height} pixels"
    return Fault(FaultKind.DAMAGED, f"{what} cannot be normalised: {error}")


def is_quick(content: bytes) -> bool:
    """Whether `prepare` takes so little that it may run where others wait for it. What is not sure is not quick."""
    if len(content) > QUICK_BYTES:
        return False
    if is_plain_png(content, QUICK.pixels):
        return True
    if format_of(content) not in QUICK_FORMATS:
        return False
    try:
        return len(strip(content, QUICK).content) <= QUICK_STRIPPED_BYTES
    except Unreadable:
        return False


def warm_up() -> None:
    """Reads a picture each way: decoders, linear algebra and the network that finds ink are loaded by their first use.

    Raises RuntimeError where that fails.
    """
    large, small = BytesIO(), BytesIO()
    gradient = Image.radial_gradient("L")
    gradient.save(large, "PNG")
    gradient.reduce(10).save(small, "PNG")
    wanted = Wanted(reads_digits=True, shape=(28, 28), max_pixels=gradient.width * gradient.height)
    for content in (large.getvalue(), small.getvalue()):
        prepared = prepare(content, wanted)
        if prepared.fault:
            raise RuntimeError(prepared.fault.detail)
