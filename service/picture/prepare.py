"""The one way from the bytes of a file to what a network takes."""

import time
from io import BytesIO
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.picture.decode import load_pixels, note_of, open_image
from service.picture.fault import Fault, FaultKind, Unreadable
from service.picture.grey import WORKING_SIDE
from service.picture.normalise import Normalised, normalise, normalise_grey
from service.picture.plain_png import read_plain_png
from service.picture.resize import resize

# A file up to this many bytes and pixels takes about as long to prepare as the way to another process and back.
QUICK_BYTES = 64_000
QUICK_PIXELS = 32 * 32


class Wanted(NamedTuple):
    """What the network takes, and the limit that a picture's width times its height must keep."""

    reads_digits: bool
    shape: tuple[int, ...]
    max_pixels: int


class Prepared(NamedTuple):
    """Of `pixels`, `reason` and `fault` exactly one is there.

    `pixels` are ready for the network, uint8 of `Wanted.shape`. `reason` says why there is nothing to read in a
    picture, `fault` why a file cannot be read at all. `note` says that only a part of the file was looked at.
    """

    pixels: NDArray[np.uint8] | None
    reason: str | None
    note: str | None
    fault: Fault | None
    decode_seconds: float
    normalise_seconds: float


def prepare(content: bytes, wanted: Wanted) -> Prepared:
    """Never raises but MemoryError: whatever an odd file leads to is that file's own trouble."""
    start = time.perf_counter()
    image: Image.Image | None = None
    try:
        if wanted.reads_digits:
            plain = read_plain_png(content, min(QUICK_PIXELS, wanted.max_pixels))
            if plain is not None:
                decoded = time.perf_counter()
                return done(normalise_grey(plain.astype(np.float32), plain.shape[::-1]), None, start, decoded)
        opened = open_image(content, wanted.max_pixels)
        load_pixels(opened, at_least=2 * max(WORKING_SIDE, wanted.shape[-1]))
        image, decoded = opened, time.perf_counter()
        made = normalise(image) if wanted.reads_digits else Normalised(resize(image, wanted.shape))
        return done(made, note_of(image), start, decoded)
    except MemoryError:
        raise
    except Unreadable as unreadable:
        return failed(unreadable.fault, start)
    except Exception as error:  # Pillow's plugins raise anything on hostile content
        doing = "decoded" if image is None else f"normalised, of mode {image.mode} and size {image.size}"
        return failed(Fault(FaultKind.DAMAGED, f"the file cannot be {doing}: {error}"), start)


def done(made: Normalised, note: str | None, start: float, decoded: float) -> Prepared:
    """`start`, `decoded`: of `time.perf_counter`."""
    return Prepared(made.digit, made.reason, note, None, decoded - start, time.perf_counter() - decoded)


def failed(fault: Fault, start: float) -> Prepared:
    return Prepared(None, None, None, fault, time.perf_counter() - start, 0.0)


def is_quick(content: bytes) -> bool:
    """Whether `prepare` takes so little that it may run where others wait for it. What is not sure is not quick."""
    if len(content) > QUICK_BYTES or content.startswith((b"II", b"MM")):
        return False
    try:
        image = open_image(content, QUICK_PIXELS)
    except Unreadable:
        return False
    return image.width * image.height <= QUICK_PIXELS


def warm_up(wanted: Wanted) -> None:
    """Reads a picture each way: decoders and numpy's linear algebra are loaded by their first use."""
    large, small = BytesIO(), BytesIO()
    gradient = Image.radial_gradient("L")
    gradient.save(large, "PNG")
    gradient.reduce(10).save(small, "PNG")
    for content in (large.getvalue(), small.getvalue()):
        prepare(content, wanted._replace(max_pixels=gradient.width * gradient.height))
