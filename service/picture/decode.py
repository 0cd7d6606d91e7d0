"""Decodes a file that a scan of its structure has stripped."""

import io
from functools import cache

from PIL import AvifImagePlugin, Image
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from service.picture.fault import FaultKind, Unreadable
from service.picture.structure.stripped import Stripped
from service.picture.upright import upright

# Else it would be one for each core.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1


class LeanWebP(WebPImageFile):
    """Frees libwebp's two canvases before there is one more of Pillow's: 12 bytes a pixel at most, where it was 20."""

    def load_prepare(self) -> None:
        self._decoder = None
        super().load_prepare()


# Called by name: `Image.open` would try each of Pillow's plugins, and have limits of its own on pixels.
PLUGINS = (PngImageFile, JpegImageFile, LeanWebP, BmpImageFile, GifImageFile, TiffImageFile, AvifImageFile)
DECODERS: dict[str, type[ImageFile]] = {decoder.format: decoder for decoder in PLUGINS}

# Of Pillow's modes, those that have a grey level; the ones of 16 and 32 bits begin with I. LAB has none here.
MODES = frozenset({"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV", "F"})


def decode(stripped: Stripped, at_least: int) -> Image.Image:
    """Upright. A large JPEG is decoded at a reduced size of `at_least` pixels a side or more.

    Raises Unreadable where colours have no grey level, and what Pillow raises: anything, on hostile content.
    """
    image = decoder_of(stripped.format)(io.BytesIO(stripped.content))
    if image.mode not in MODES and not image.mode.startswith("I"):
        raise Unreadable(
            FaultKind.DAMAGED,
            f"the image has colours of mode {image.mode}; supported: {', '.join(sorted(MODES))} and 16 or 32 bit grey",
        )
    image.draft(None, (at_least, at_least))
    image.load()
    return upright(image, stripped.orientation)


def decoder_of(kind: str) -> type[ImageFile]:
    return heif_decoder() if kind == "HEIF" else DECODERS[kind]


@cache
def heif_decoder() -> type[ImageFile]:
    """Loaded by its first use: 20 MB of libraries that a process which never meets a HEIC does without."""
    from pillow_heif import HeifImageFile, options

    options.DECODE_THREADS = 1
    decoder: type[ImageFile] = HeifImageFile
    return decoder
