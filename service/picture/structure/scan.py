"""Which format a file is of, by its content, and the scan of that format."""

from service.picture.fault import FaultKind, Unreadable
from service.picture.structure import bmp, gif, heif, jpeg, png, tiff, webp
from service.picture.structure.foreign import what_it_is
from service.picture.structure.limits import Limits
from service.picture.structure.stripped import Stripped

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "HEIF", "AVIF")
# A TIFF is unpacked by libtiff, whose many ways of packing no scan can foresee the cost of. HEIF and AVIF are video.
QUICK_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")
SCANS = dict(
    zip(
        FORMATS,
        (png.strip, jpeg.strip, webp.strip, bmp.strip, gif.strip, tiff.strip, heif.strip, heif.strip),
        strict=True,
    )
)


def strip(content: bytes, limits: Limits) -> Stripped:
    """The file with its first picture and nothing else. Raises Unreadable."""
    if not content:
        raise Unreadable(FaultKind.EMPTY, "the file is empty (0 bytes); send an image")
    kind = format_of(content)
    if kind is None:
        raise Unreadable(
            FaultKind.UNSUPPORTED,
            f"the file is {what_it_is(content)}, no image of a supported format; supported: {', '.join(FORMATS)}",
        )
    return SCANS[kind](content, limits)


def format_of(content: bytes) -> str | None:
    """One of `FORMATS`."""
    if content.startswith(png.SIGNATURE):
        return "PNG"
    if content.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return "WEBP"
    if content.startswith(bmp.SIGNATURE):
        return "BMP"
    if content.startswith(gif.SIGNATURES):
        return "GIF"
    if heif.is_heif(content):
        return "AVIF" if heif.is_avif(content) else "HEIF"
    return "TIFF" if content.startswith(tiff.SIGNATURES) else None
