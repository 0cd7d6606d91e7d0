"""A picture for a network that reads something else than digits: resized, and nothing more done to it."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from service.grey import full_range


def resize(image: Image.Image, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """uint8 `shape`: [side, side] in grey or [3, side, side]. Of any mode and orientation; first frame, on white."""
    side = shape[-1]
    resized = opaque(image).convert("L" if len(shape) == 2 else "RGB").resize((side, side), Image.Resampling.BILINEAR)
    pixels = np.asarray(resized)
    return pixels if pixels.ndim == 2 else np.ascontiguousarray(np.moveaxis(pixels, -1, 0))


def opaque(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(full_range(np.asarray(image.convert("F"))).astype(np.uint8))
    try:
        upright = ImageOps.exif_transpose(image)
    except Exception:  # Pillow's parsers raise whatever damaged EXIF leads to, and then it says nothing
        upright = image
    if not upright.has_transparency_data:
        return upright
    page = Image.new("RGBA", upright.size, "white")
    page.alpha_composite(upright.convert("LA" if upright.mode == "La" else "RGBA").convert("RGBA"))
    return page
