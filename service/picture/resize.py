"""A picture for a network that reads something else than digits: resized, and nothing more done to it."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.picture.grey import full_range, with_alpha


def resize(image: Image.Image, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """uint8 `shape`: [side, side] in grey or [3, side, side]. Of any mode, upright; first frame, on white."""
    side = shape[-1]
    flat = opaque(image, side).convert("L" if len(shape) == 2 else "RGB")
    pixels = np.asarray(flat.resize((side, side), Image.Resampling.BILINEAR))
    return pixels if pixels.ndim == 2 else np.ascontiguousarray(np.moveaxis(pixels, -1, 0))


def opaque(image: Image.Image, side: int) -> Image.Image:
    """Of eight bits a channel and without transparency; what is far larger than `side` is reduced before it grows."""
    if image.mode.startswith("I") or image.mode == "F":
        real = image.convert("F")
        factor = max(1, min(real.size) // (2 * side))
        return Image.fromarray(full_range(np.asarray(real.reduce(factor))).astype(np.uint8))
    if not image.has_transparency_data:
        return image
    page = Image.new("RGBA", image.size, "white")
    page.alpha_composite(with_alpha(image))
    return page
