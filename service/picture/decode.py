"""Opens an uploaded file as an image, trusting nothing that the client says of it."""

import io

from PIL import Image, PngImagePlugin, UnidentifiedImageError

from service.picture.fault import FaultKind, Unreadable

MODES = frozenset({"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV", "F"})
"""Of Pillow's modes, those that have a grey level; the ones of 16 and 32 bits begin with I. LAB has none here."""

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")

# The limit is `max_pixels` here, checked on the header with an error that says both numbers.
Image.MAX_IMAGE_PIXELS = None
# Bytes of text in a PNG, decompressed while its header is read; 64 times as many would be allowed.
PngImagePlugin.MAX_TEXT_MEMORY = PngImagePlugin.MAX_TEXT_CHUNK


def open_image(content: bytes, max_pixels: int) -> Image.Image:
    """Reads the header alone. Raises Unreadable."""
    if not content:
        raise Unreadable(FaultKind.EMPTY, "the file is empty (0 bytes); send an image")
    try:
        image = Image.open(io.BytesIO(content), formats=FORMATS)
    except Exception as error:  # a plugin may raise anything on a hostile header
        raise refusal(content, error) from error
    if image.mode not in MODES and not image.mode.startswith("I"):
        raise Unreadable(
            FaultKind.DAMAGED,
            f"the image has colours of mode {image.mode}; supported: {', '.join(sorted(MODES))} and 16 or 32 bit grey",
        )
    if image.width * image.height > max_pixels:
        raise Unreadable(
            FaultKind.TOO_LARGE,
            f"the image has {image.width}×{image.height} = {image.width * image.height:,} pixels; "
            f"the limit is {max_pixels:,}",
        )
    return image


def refusal(content: bytes, error: Exception) -> Unreadable:
    """Of a known format that is broken, or of none that is supported, by the first bytes."""
    for name in FORMATS:
        accepts = Image.OPEN[name][1]
        if accepts is not None and accepts(content[:16]) is True:
            damaged = isinstance(error, UnidentifiedImageError)  # its text names our buffer and no reason
            return broken(name, "its header is damaged" if damaged else error)
    start = content[:16].decode("ascii", "backslashreplace")
    return Unreadable(
        FaultKind.UNSUPPORTED,
        f"the file is no image of a supported format (it starts with {start!r}); supported: {', '.join(FORMATS)}",
    )


def load_pixels(image: Image.Image, at_least: int) -> None:
    """Decodes the first frame in place. A large JPEG is decoded at a reduced size of `at_least` pixels a side or more.

    Raises Unreadable where the content is broken.
    """
    try:
        image.draft(None, (at_least, at_least))
        image.load()
    except MemoryError:
        raise
    except Exception as error:  # a plugin may raise anything on hostile content
        raise broken(image.format or "image", error) from error


def note_of(image: Image.Image) -> str | None:
    """What the answer should say of the file: that only a part of it was looked at. To be asked last, it may seek."""
    try:
        several = bool(getattr(image, "is_animated", False))
    except Exception:  # a plugin may raise anything on hostile content, and the first frame was fine
        return None
    return "only the first of several frames was read" if several else None


def broken(name: str, reason: Exception | str) -> Unreadable:
    return Unreadable(FaultKind.DAMAGED, f"the file starts as {name} but cannot be decoded: {reason}")
