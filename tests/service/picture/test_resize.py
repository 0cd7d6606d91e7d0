"""Pictures for networks that read no digits are resized, upright and on white, whatever their mode."""

import numpy as np
import pytest
from PIL import Image

from service.picture.resize import resize

MODES = ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "I", "I;16", "F"]


def picture(mode: str) -> Image.Image:
    """Dark left half, light right half."""
    ramp = np.zeros((40, 60), np.uint8)
    ramp[:, 30:] = 255
    image = Image.fromarray(ramp)
    if mode == "I;16":
        return Image.fromarray(ramp.astype(np.uint16) * 257)
    return image.convert("RGB").convert(mode) if mode in ("CMYK", "YCbCr", "HSV", "P") else image.convert(mode)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape", [(28, 28), (3, 32, 32)])
def test_each_mode_gives_the_shape_and_keeps_light_and_dark(mode: str, shape: tuple[int, ...]) -> None:
    pixels = resize(picture(mode), shape)
    assert pixels.dtype == np.uint8
    assert pixels.shape == shape
    assert pixels[..., :8].mean() < 10
    assert pixels[..., -8:].mean() > 245


def test_colour_is_kept_by_channel() -> None:
    pixels = resize(Image.new("RGB", (5, 9), (200, 100, 50)), (3, 32, 32))
    assert [channel.tolist() for channel in pixels.reshape(3, -1)] == [[value] * 1024 for value in (200, 100, 50)]


def test_what_is_transparent_is_white() -> None:
    assert (resize(Image.new("RGBA", (9, 9), (0, 0, 0, 0)), (28, 28)) == 255).all()


@pytest.mark.parametrize("mode", ["L", "I;16"])
def test_exif_is_heeded(mode: str) -> None:
    image = picture(mode)
    image.getexif()[0x0112] = 3
    assert resize(image, (28, 28))[:, -8:].mean() < 10
