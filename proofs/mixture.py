"""What is asked: digits as most send them, some photos and forms, and what is made to harm."""

import random
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from tests.harness import encode, png, post_head, sample_digits
from tests.hostile import HOSTILE
from tests.hostile_requests import REQUESTS, form, post

# Bytes of a hostile request; what is longer is without end, and refused long before.
LONGEST = 14_000_000

KINDS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIF", "AVIF")


def photo(label: int, kind: str, side: int = 120) -> bytes:
    """A digit on paper that is lit from one side."""
    paper = 200 - np.linspace(0, 60, side)[:, np.newaxis] * np.ones((1, side))
    digit = Image.fromarray(sample_digits().pick(label, 5)).resize((side * 2 // 3, side * 2 // 3))
    start = side // 6
    paper[start : start + digit.height, start : start + digit.width] -= np.asarray(digit) / 3
    return encode(Image.fromarray(paper.astype(np.uint8)), kind)


def digit(label: int, which: int = 0) -> bytes:
    return png(sample_digits().pick(label, which))


def raw(content: bytes, query: str = "") -> bytes:
    return post_head(len(content)).replace(b"/classify ", b"/classify" + query.encode() + b" ", 1) + content


def as_form(*files: bytes) -> bytes:
    head = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
    return form(b"".join(head + content + b"\r\n" for content in files) + b"--x--\r\n")


def as_json(content: bytes) -> bytes:
    return post(b'{"image":"' + b64encode(content) + b'"}', "Content-Type: application/json")


class Mixture(NamedTuple):
    """Requests by how often they come; weights are of a hundred."""

    small: Sequence[bytes]
    others: Sequence[bytes]

    def choose(self, chance: random.Random) -> bytes:
        return chance.choice(self.small if chance.random() < 0.93 else self.others)

    def all(self) -> list[bytes]:
        return [*self.small, *self.others]


def mixture() -> Mixture:
    digits = [digit(label, which) for label in range(10) for which in range(5)]
    small = [*map(raw, digits), *map(as_form, digits[:20])]
    others = [
        *(raw(photo(number % 10, kind)) for number, kind in enumerate(KINDS * 2)),
        raw(photo(4, "JPEG", side=1200)),
        as_form(*digits[:8]),
        as_form(photo(1, "PNG"), digits[3], b"no picture"),
        as_json(digits[7]),
        raw(digits[9], "?explain=1"),
        raw(digits[2], "?model=alexnet"),
        raw(png(np.full((40, 40), 200, np.uint8))),
        raw(b"\x89PNG\r\n\x1a\n broken"),
    ]
    return Mixture(small, others)


def hostile(names: Sequence[str] = ()) -> Mapping[str, bytes]:
    """Of all families that the tests have, or of those named."""
    files = {name: lambda make=make: post(make()) for name, make in HOSTILE.items()}
    makers = {**REQUESTS, **files}
    return {name: makers[name]()[:LONGEST] for name in names or makers}
