"""Any picture that Pillow has opened becomes one plane of grey levels, upright and of a bounded size."""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

WORKING_SIDE = 128
"""Larger pictures are reduced to this or less first, to more than half of it."""

LARGE_ONE_BIT = 40

OUTLIERS = (0.1, 99.9)
"""Percentiles that become black and white in pictures of more than eight bits."""

COLOURED = 1.3
"""A colour channel with so many times the spread of the luminance shows the ink better, as blue does yellow ink."""

Grey = NDArray[np.float32]
"""[H, W], 0 to 255"""


def to_grey(image: Image.Image) -> Grey:
    """Without transparency, turned upright, and reduced to the working size. Only the first frame is looked at."""
    if image.mode == "L" and "transparency" not in image.info:
        grey = np.asarray(reduced(image), dtype=np.float32)
    elif image.mode.startswith("I") or image.mode == "F":
        grey = full_range(np.asarray(reduced(image.convert("F"))))
    elif image.has_transparency_data:
        grey = on_opposite_ground(reduced(image.convert("LA" if image.mode == "La" else "RGBA").convert("RGBA")))
    elif image.mode == "1":
        grey = np.asarray(undithered(image.convert("L")), dtype=np.float32)
    else:
        grey = clearest(np.asarray(reduced(image.convert("RGB")), dtype=np.float32))
    return upright(grey, image)


def reduced(image: Image.Image) -> Image.Image:
    """By a whole factor, averaging. Before anything becomes a float: a large picture would take gigabytes."""
    factor = math.ceil(max(image.size) / WORKING_SIDE)
    return image.reduce(factor) if factor > 1 else image


def undithered(image: Image.Image) -> Image.Image:
    """One bit a pixel: grey paper may be a pattern of dots, which averages away. A small scan has no pixel to spare."""
    factor = max(2 if max(image.size) > LARGE_ONE_BIT else 1, math.ceil(max(image.size) / WORKING_SIDE))
    return image.reduce(factor) if factor > 1 else image


def clearest(colours: NDArray[np.float32]) -> Grey:
    """[H, W, 3] → the luminance, or the one channel in which the ink stands out far better."""
    red, green, blue = colours[..., 0], colours[..., 1], colours[..., 2]
    if (red == green).all() and (green == blue).all():
        return np.ascontiguousarray(green)
    luminance: Grey = 0.299 * red + 0.587 * green + 0.114 * blue
    spreads = colours.std(axis=(0, 1))
    best = int(spreads.argmax())
    return np.ascontiguousarray(colours[..., best]) if spreads[best] > COLOURED * luminance.std() + 1 else luminance


def upright(grey: Grey, image: Image.Image) -> Grey:
    """Turned and mirrored as the EXIF orientation of `image` says; damaged EXIF says nothing."""
    if not image.info and image.format in ("PNG", "JPEG", "WEBP", "BMP", "GIF"):
        return grey  # EXIF of these would be in `info`; Pillow takes long to find out that there is none
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # Pillow's parsers raise whatever the damage leads to
        return grey
    if orientation == 1:
        return grey
    mirrored = grey[:, ::-1] if orientation in (2, 4, 5, 7) else grey
    quarters = {3: 2, 4: 2, 5: 1, 6: 3, 7: 3, 8: 1}.get(orientation, 0)
    return np.ascontiguousarray(np.rot90(mirrored, quarters))


def full_range(values: NDArray[np.float32]) -> Grey:
    """Sixteen bits and more, stretched to 0 to 255 but for a few hot or dead pixels; no number is the lowest."""
    finite = np.isfinite(values)
    exact = np.where(finite, values, values[finite].min() if finite.any() else 0).astype(np.float64)
    low, high = np.percentile(exact, OUTLIERS)
    if not high / 2 > low / 2:
        low, high = exact.min(), exact.max()
    share = (exact / 2 - low / 2) / (high / 2 - low / 2) if high / 2 > low / 2 else np.zeros_like(exact)
    return (share.clip(0, 1) * 255).astype(np.float32)


def on_opposite_ground(image: Image.Image) -> Grey:
    """Transparent parts become white under dark ink and black under light ink. RGBA in."""
    pixels = np.asarray(image, dtype=np.float32)
    grey, alpha = clearest(pixels[..., :3]), pixels[..., 3] / np.float32(255)
    if alpha.min() == 1:
        return grey
    ink_level = float((grey * alpha).sum()) / max(float(alpha.sum()), 1e-6)
    ground = np.float32(255 if ink_level < 128 else 0)
    flat: Grey = grey * alpha + ground * (1 - alpha)
    return flat
