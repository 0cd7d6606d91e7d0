"""A file that was stripped becomes upright pixels that have a grey level."""

import numpy as np
import pytest
from PIL import Image

from service.picture.decode import decode
from service.picture.fault import FaultKind, Unreadable
from service.picture.structure.limits import Limits
from service.picture.structure.scan import FORMATS, strip
from tests.harness import Digits, encode

LIMITS = Limits(16_000_000)


@pytest.mark.parametrize("kind", FORMATS)
def test_every_supported_format_decodes(digits: Digits, kind: str) -> None:
    image = decode(strip(encode(digits.pick(7), kind), LIMITS), at_least=28)
    assert image.size == (28, 28)
    if kind not in ("JPEG", "WEBP", "HEIF", "AVIF"):
        assert (np.asarray(image.convert("L")) == digits.pick(7)).all()


def test_a_large_jpeg_is_decoded_reduced() -> None:
    image = decode(strip(encode(Image.new("L", (2000, 1600)), "JPEG"), LIMITS), at_least=320)
    assert 320 <= min(image.size) < 1000


def test_colours_without_a_grey_level_are_a_fault() -> None:
    with pytest.raises(Unreadable, match="mode LAB; supported: ") as raised:
        decode(strip(encode(Image.new("LAB", (28, 28)), "TIFF"), LIMITS), at_least=28)
    assert raised.value.fault.kind is FaultKind.DAMAGED
