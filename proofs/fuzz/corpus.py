"""Real files of every format that is read, made by code: what mutations begin from."""

import random
from collections.abc import Callable, Mapping
from functools import partial
from io import BytesIO
from typing import NamedTuple

from PIL import Image

from service.picture.structure.scan import FORMATS, format_of
from tests.harness import sample_digits
from tests.hostile import LARGEST
from tests.service.picture.structure.test_scan import FILES

# Most changes to a file of more bytes land in what is thrown away.
SMALL_BYTES = 60_000
LARGE_BYTES = 400_000
# Half a second each, where the others take two milliseconds.
LARGE_SHARE = 1 / 500

OPTIONS: dict[str, tuple[dict[str, object], ...]] = {
    "PNG": ({}, {"bits": 4}),
    "JPEG": ({}, {"progressive": True}, {"restart_marker_blocks": 2}),
    "WEBP": ({}, {"lossless": True}),
    "TIFF": tuple({"compression": name} for name in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg")),
    "HEIF": ({"quality": 60},),
    "AVIF": ({"speed": 10},),
}


def digit(kind: str, side: int, options: Mapping[str, object]) -> bytes:
    pixels = sample_digits().images[100 * side % 5000]
    file = BytesIO()
    Image.fromarray(pixels).resize((side, side + 3)).save(file, kind, **options)
    return file.getvalue()


def makers() -> dict[str, Callable[[], bytes]]:
    """Digits as small as are read in the loop and larger ones, and a scene in all variants of each format."""
    digits = {
        f"{kind} of a digit, {side} {options}": partial(digit, kind, side, options)
        for kind in FORMATS
        for side in (27, 64)
        for options in OPTIONS.get(kind, ({},))
    }
    return {**digits, **FILES}


class Corpus(NamedTuple):
    """Of each format small files, and a few that have as many pixels as is allowed."""

    small: dict[str, list[bytes]]
    large: dict[str, list[bytes]]

    def choose(self, chance: random.Random) -> tuple[str, list[bytes]]:
        """Files of one format: all formats in like shares, however many files each has."""
        kind = chance.choice(FORMATS)
        large = self.large[kind]
        return kind, large if large and chance.random() < LARGE_SHARE else self.small[kind]


def corpus() -> Corpus:
    """Always the same files in the same order."""
    return Corpus(by_format(makers(), SMALL_BYTES), by_format(LARGEST, LARGE_BYTES))


def by_format(makers: Mapping[str, Callable[[], bytes]], most: int) -> dict[str, list[bytes]]:
    """Those of `most` bytes or fewer."""
    files: dict[str, list[bytes]] = {kind: [] for kind in FORMATS}
    for make in makers.values():
        content = make()
        kind = format_of(content)
        if kind and len(content) <= most:
            files[kind].append(content)
    return files
