"""Stripping takes nothing from a picture: of every kind of file that is met, the pixels are those that Pillow reads."""

from collections.abc import Callable
from functools import partial
from io import BytesIO

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageCms, ImageOps
from PIL.PngImagePlugin import PngInfo

from service.picture.decode import decode
from service.picture.fault import FaultKind, Unreadable
from service.picture.structure.limits import Limits
from service.picture.structure.scan import FORMATS, format_of, strip
from tests.harness import Digits, encode, png, png_header

LIMITS = Limits(16_000_000)


def scene(mode: str = "RGB", size: tuple[int, int] = (120, 90)) -> Image.Image:
    """Colours, edges and a gradient, different in each corner."""
    red, green = (Image.radial_gradient("L").resize(size), Image.linear_gradient("L").resize(size))
    blue = green.transpose(Image.Transpose.FLIP_LEFT_RIGHT).point(lambda level: 255 * (level > 99))
    image = Image.merge("RGB", (red, green, blue))
    image.paste((250, 10, 30), (5, 7, 40, 20))
    if mode in ("I;16", "I", "F"):
        kinds = {"I;16": np.uint16, "I": np.int32, "F": np.float32}
        return Image.fromarray(np.asarray(image.convert("L")).astype(kinds[mode]) * 100)
    if mode in ("LA", "RGBA"):
        image = image.convert(mode)
        image.putalpha(red)
        return image
    return image.convert(mode)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def frames(kind: str, **options: object) -> bytes:
    more = [scene().rotate(angle) for angle in (90, 180)]
    return saved(scene(), kind, save_all=True, append_images=more, **options)


def oriented(kind: str, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "a maker of cameras"
    return saved(scene(), kind, exif=exif)


def with_exif(kind: str, orientation: int) -> bytes:
    """For HEIF and AVIF, whose writers turn it into boxes of their own."""
    image = scene()
    image.getexif()[0x0112] = orientation
    return encoded(image, kind)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    """In full colour, which makes of the same content the same pixels."""
    pillow_heif.register_heif_opener()
    own: dict[str, object] = {"chroma": 444} if kind == "HEIF" else {"subsampling": "4:4:4", "exif": image.getexif()}
    return saved(image, kind, **own, **options)


def deep(mode: str) -> bytes:
    """Of ten bits a channel."""
    levels = np.asarray(scene("L" if mode == "I;16" else mode[:-3])).astype(np.uint16) * 257
    file = BytesIO()
    pillow_heif.from_bytes(mode, scene().size, levels.tobytes()).save(file, quality=90, chroma=444)
    return file.getvalue()


def with_profile(kind: str) -> bytes:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return saved(scene(), kind, icc_profile=profile * 200)


def with_texts() -> bytes:
    info = PngInfo()
    for number in range(30):
        info.add_text(f"text {number}", "x" * 700_000, zip=True)
        info.add_itxt(f"international {number}", "y" * 700_000, zip=True)
    return saved(scene(), "PNG", pnginfo=info)


def like_a_phones() -> bytes:
    """Profile, preview in EXIF, comments, and 4 MB of other pictures behind the end."""
    plain = saved(scene(), "JPEG", exif=oriented_exif(), comment=b"taken by phone", icc_profile=b"profile" * 40_000)
    extra = b"\xff\xe4\xff\xff" + bytes(65_533)
    return plain[:2] + extra * 3 + plain[2:] + bytes(300) + saved(scene(), "JPEG") * 2 + bytes(4_000_000)


def oriented_exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def split_into_chunks() -> bytes:
    """Pixels in chunks of ten bytes, and empty ones between."""
    content = saved(scene(), "PNG")
    start = content.index(b"IDAT") - 4
    length = int.from_bytes(content[start : start + 4], "big")
    data = content[start + 8 : start + 8 + length]
    parts = [data[place : place + 10] for place in range(0, length, 10)]
    chunks = [len(part).to_bytes(4, "big") + b"IDAT" + part + bytes(4) for part in [*parts, b""]]
    return content[:start] + b"".join(chunks) + content[start + 12 + length :]


def filled(content: bytes) -> bytes:
    """A JPEG with bytes that only fill before each marker, and some that belong to nothing."""
    return content.replace(b"\xff\xdb", b"\0\0\xff\0" + b"\xff" * 300 + b"\xdb")


def maker(kind: str, mode: str, **options: object) -> Callable[[], bytes]:
    return lambda: saved(scene(mode), kind, **options)


TIFF_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F")
FILES: dict[str, Callable[[], bytes]] = {
    **{f"PNG {mode}": maker("PNG", mode) for mode in ("1", "L", "LA", "P", "RGB", "RGBA")},
    "PNG 16 bits": lambda: saved(scene("I;16"), "PNG"),
    "PNG 2 bits": lambda: saved(scene("L").quantize(4), "PNG", bits=2),
    "PNG transparent grey": lambda: saved(scene("L"), "PNG", transparency=99),
    "PNG transparent colour": lambda: saved(scene(), "PNG", transparency=(250, 10, 30)),
    "PNG transparent palette": lambda: saved(scene("P"), "PNG", transparency=bytes(range(200))),
    "PNG with a profile": lambda: with_profile("PNG"),
    "PNG with texts": with_texts,
    "PNG in many chunks": split_into_chunks,
    "PNG without its end": lambda: saved(scene(), "PNG")[:-12],
    "APNG": lambda: frames("PNG"),
    "APNG with a picture apart": lambda: frames("PNG", default_image=True),
    "JPEG grey": lambda: saved(scene("L"), "JPEG"),
    "JPEG": lambda: saved(scene(), "JPEG"),
    "JPEG CMYK": lambda: saved(scene("CMYK"), "JPEG"),
    "JPEG progressive": lambda: saved(scene(), "JPEG", progressive=True),
    "JPEG progressive CMYK": lambda: saved(scene("CMYK"), "JPEG", progressive=True),
    "JPEG with restarts": lambda: saved(scene(), "JPEG", restart_marker_blocks=1),
    "JPEG of RGB": lambda: saved(scene(), "JPEG", keep_rgb=True),
    "JPEG with a profile": lambda: with_profile("JPEG"),
    "JPEG of a phone": like_a_phones,
    "JPEG with fill": lambda: filled(saved(scene(), "JPEG")),
    "JPEG and others behind": lambda: frames("MPO"),
    "WEBP": lambda: saved(scene(), "WEBP"),
    "WEBP transparent": lambda: saved(scene("RGBA"), "WEBP"),
    "WEBP lossless": lambda: saved(scene(), "WEBP", lossless=True),
    "WEBP lossless transparent": lambda: saved(scene("RGBA"), "WEBP", lossless=True),
    "WEBP with a profile": lambda: with_profile("WEBP"),
    "WEBP animated": lambda: frames("WEBP"),
    "WEBP animated lossless": lambda: frames("WEBP", lossless=True),
    "GIF": lambda: saved(scene(), "GIF"),
    "GIF grey": lambda: saved(scene("L"), "GIF"),
    "GIF plain order": lambda: saved(scene(), "GIF", interlace=0),
    "GIF transparent": lambda: saved(scene("P"), "GIF", transparency=3, comment=b"hello"),
    "GIF animated": lambda: frames("GIF", loop=3, disposal=2),
    **{f"BMP {mode}": maker("BMP", mode) for mode in ("1", "L", "P", "RGB", "RGBA")},
    **{f"TIFF {mode}": maker("TIFF", mode) for mode in TIFF_MODES},
    **{
        f"TIFF {mode} {compression}": maker("TIFF", mode, compression=compression)
        for compression in ("tiff_lzw", "tiff_deflate", "tiff_adobe_deflate", "packbits")
        for mode in TIFF_MODES
    },
    **{f"TIFF {mode} jpeg": maker("TIFF", mode, compression="jpeg") for mode in ("L", "RGB")},
    **{f"TIFF {fax}": maker("TIFF", "1", compression=fax) for fax in ("tiff_ccitt", "group3", "group4")},
    "TIFF of many strips": lambda: saved(scene(), "TIFF", compression="tiff_lzw", tiffinfo={278: 1}),
    "TIFF of many plain strips": lambda: saved(scene(), "TIFF", tiffinfo={278: 1}, strip_size=1),
    "TIFF with a predictor": lambda: saved(scene(), "TIFF", compression="tiff_lzw", tiffinfo={317: 2}),
    "TIFF with big offsets": lambda: saved(scene(), "TIFF", big_tiff=True),
    "TIFF packed with big offsets": lambda: saved(scene(), "TIFF", compression="tiff_lzw", big_tiff=True),
    "TIFF of several pages": lambda: frames("TIFF"),
    "TIFF of several packed pages": lambda: frames("TIFF", compression="tiff_lzw"),
    "TIFF of several JPEG pages": lambda: frames("TIFF", compression="jpeg"),
    "TIFF with a profile": lambda: with_profile("TIFF"),
    **{
        f"{kind} {mode}": partial(lambda kind, mode: encoded(scene(mode), kind), kind, mode)
        for kind in ("HEIF", "AVIF")
        for mode in ("L", "LA", "RGB", "RGBA", "P")
    },
    **{f"HEIF {mode} in ten bits": partial(deep, mode) for mode in ("I;16", "RGB;16", "RGBA;16")},
    "HEIF of tiles": lambda: encoded(scene(), "HEIF", tile_size=64),
    "HEIF with a preview": lambda: encoded(scene(), "HEIF", thumbnails=[64]),
    "HEIF with a profile": lambda: with_profile("HEIF"),
    "HEIF of several pictures, animated": lambda: frames("HEIF"),
    "AVIF with a profile": lambda: with_profile("AVIF"),
    "AVIF animated": lambda: frames("AVIF"),
    **{
        f"{kind} turned {orientation}": partial(with_exif, kind, orientation)
        for kind in ("HEIF", "AVIF")
        for orientation in range(1, 9)
    },
    **{
        f"{kind} turned {orientation}": partial(oriented, kind, orientation)
        for kind in ("PNG", "JPEG", "WEBP", "TIFF")
        for orientation in range(1, 9)
    },
}


@pytest.mark.parametrize("name", FILES)
def test_the_pixels_are_those_that_pillow_reads(name: str) -> None:
    content = FILES[name]()
    stripped = strip(content, LIMITS)
    ours = decode(stripped, at_least=1000)
    theirs = ImageOps.exif_transpose(Image.open(BytesIO(content)))
    assert ours.mode == theirs.mode
    assert (stripped.width, stripped.height) == scene().size
    assert ours.has_transparency_data == theirs.has_transparency_data
    assert np.array_equal(np.asarray(ours), np.asarray(theirs))
    if ours.has_transparency_data or ours.mode == "P":
        assert np.array_equal(np.asarray(ours.convert("RGBA")), np.asarray(theirs.convert("RGBA")))


@pytest.mark.parametrize("name", FILES)
def test_nothing_but_pixels_is_left(name: str) -> None:
    """So a decoder has no other parsers to run: no profile, text, EXIF or comment."""
    image = decode(strip(FILES[name](), LIMITS), at_least=1000)
    of_pixels = {"transparency", "interlace", "background", "compression", "version", "duration"}
    of_colours = {"jfif", "jfif_version", "jfif_unit", "jfif_density", "dpi", "adobe", "adobe_transform"}
    of_boxes = {"primary", "bit_depth", "chroma", "nclx_profile", "tiling", "original_orientation"}
    of_coding = {"progressive", "progression", "loop", "timestamp", "resolution", "default_image"}
    given = {name for name, value in image.info.items() if value}
    assert given <= of_pixels | of_colours | of_coding | of_boxes


@pytest.mark.parametrize("name", FILES)
def test_several_frames_are_noticed(name: str) -> None:
    several = "animated" in name or "APNG" in name or "pages" in name
    assert strip(FILES[name](), LIMITS).several == several


@pytest.mark.parametrize("kind", FORMATS)
def test_a_format_is_known_by_its_content(digits: Digits, kind: str) -> None:
    assert format_of(encode(digits.pick(7), kind)) == kind


@pytest.mark.parametrize(
    "content", [b"hello", b"\x00" * 100, b"%PDF-1.7\n", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"RIFF....WAVE"]
)
def test_what_is_no_image_is_unsupported_and_the_formats_are_named(content: bytes) -> None:
    with pytest.raises(Unreadable, match="supported: PNG, JPEG, WEBP, BMP, GIF, TIFF, HEIF, AVIF") as raised:
        strip(content, LIMITS)
    assert raised.value.fault.kind is FaultKind.UNSUPPORTED


def test_a_format_that_pillow_knows_and_we_do_not_is_unsupported(digits: Digits) -> None:
    with pytest.raises(Unreadable) as raised:
        strip(encode(digits.pick(1), "PPM"), LIMITS)
    assert raised.value.fault.kind is FaultKind.UNSUPPORTED


def test_an_empty_file_is_empty() -> None:
    with pytest.raises(Unreadable, match="empty") as raised:
        strip(b"", LIMITS)
    assert raised.value.fault.kind is FaultKind.EMPTY


def test_too_many_pixels_are_refused_by_the_header_alone() -> None:
    with pytest.raises(Unreadable, match=r"12000×12000 = 144,000,000 pixels; the limit is 16,000,000") as raised:
        strip(png_header(12_000, 12_000), LIMITS)
    assert raised.value.fault.kind is FaultKind.TOO_LARGE


@pytest.mark.parametrize("kind", FORMATS)
def test_exactly_the_limit_is_allowed(kind: str) -> None:
    """An encoder of HEIF makes 64 pixels a side at least, and an even number."""
    assert strip(encode(np.zeros((64, 64), np.uint8), kind), Limits(4096)).width == 64
    with pytest.raises(Unreadable, match="66×64 = 4,224 pixels; the limit is 4,096"):
        strip(encode(np.zeros((64, 66), np.uint8), kind), Limits(4096))


def test_bytes_behind_the_end_are_not_looked_at(digits: Digits) -> None:
    for kind in ("PNG", "JPEG", "GIF", "WEBP"):
        content = encode(digits.pick(4), kind)
        assert strip(content + b"!,\xff\xd8" * 100_000, LIMITS) == strip(content, LIMITS)


def test_a_plain_png_is_left_as_it_is(digits: Digits) -> None:
    assert strip(png(digits.pick(4)), LIMITS).content == png(digits.pick(4))
