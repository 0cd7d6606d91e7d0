"""Letters, signs and printed digits, from fonts that come as packages: outlines, and Hershey's single strokes."""

import functools
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path

import matplotlib
import numpy as np
from HersheyFonts import HersheyFonts
from PIL import Image, ImageDraw, ImageFont

from training.data.strokes import Glyph, Ink
from training.errors import TrainingError

# Those that look like digits in some hand are left out: B b G g I i L l O o Q q S s Z z.
LETTERS = "ACDEFHJKMNPRTUVWXYacdefhjkmnprtuvwxy"

# Those that look like digits are left out: brackets, strokes, the exclamation mark, the comma.
SIGNS = '#@&%?*+=<>^~$€£§{}"-.©'

# Greek, Cyrillic and Hebrew ones, likewise without those that look like digits.
FOREIGN_LETTERS = "αγηκλμξπτφχψωΓΔΛΞΠΣΦΨΩджийклмнптфхцшщыюяДЖИЛПФЦШЩЫЮЯאהחמצקשת"

# Hershey's alphabets of them, with the Latin letters that his tables have them at.
FOREIGN_STROKES = {
    "greeks": "acgjklmnpsuvwxCDKNPRUWX",
    "greekc": "acgjklmnpsuvwxCDKNPRUWX",
    "cyrilc_1": "egijklmnpsuwyzEGIJKLMNPSUWYZ",
}

STROKE_FONTS = ("futural", "rowmans", "scripts", "cursive", "rowmand", "timesr")

# These are seen in validation alone.
HELD_OUT_FONTS = ("caladea", "amatic-sc", "roboto")
HELD_OUT_STROKE_FONTS = ("rowmans", "greekc")

# Of families of handwriting that a recipe may be given: crossed sevens, a 1 with a foot, brush and pixels among them.
HELD_OUT_HANDS = (
    "annie-use-your-telescope",
    "caveat-brush",
    "dotgothic16",
    "mansalva",
    "patrick-hand",
    "swanky-and-moo-moo",
)

# No font has it.
NO_CHARACTER = "\U0010ffff"

# The size in pixels in which outline fonts are drawn.
SIZE = 64


@functools.cache
def font_paths(held_out: bool) -> tuple[Path, ...]:
    """Outline fonts: of the `font-*` packages, and matplotlib's DejaVu."""
    groups = [*entry_points(group="fonts_ttf"), *entry_points(group="fonts_otf")]
    families: Mapping[str, list[str]] = {entry.name: [*map(str, entry.load().values())] for entry in groups}
    # The Display variants have hardly any characters.
    everything = Path(matplotlib.get_data_path(), "fonts", "ttf").glob("DejaVu*.ttf")
    dejavu = sorted(path for path in everything if "Display" not in path.name)
    packaged = [path for name, paths in families.items() if (name in HELD_OUT_FONTS) == held_out for path in paths]
    return tuple(sorted({*map(Path, packaged), *([] if held_out else dejavu)}, key=lambda path: path.name))


@functools.cache
def hand_paths(folder: str, held_out: bool) -> tuple[Path, ...]:
    """Fonts of handwriting: `folder` has a folder for each family. None where `folder` is ""."""
    found = sorted(Path(folder).glob("*/*")) if folder else []
    fonts = (path for path in found if path.suffix in (".woff2", ".ttf", ".otf") and has_digits(path))
    return tuple(path for path in fonts if (path.parent.name in HELD_OUT_HANDS) == held_out)


def has_digits(path: Path) -> bool:
    """Whether each looks different: fonts come in parts, and what is not in one has a box in its place, or nothing."""
    drawn = [printed(digit, path) for digit in "0123456789"]
    return all(ink.any() for ink in drawn) and len({ink.tobytes() for ink in drawn}) == len(drawn)


def checked(folder: str) -> str:
    """Raises TrainingError where `folder` is to hold fonts and does not."""
    if folder and not hand_paths(folder, held_out=False):
        raise TrainingError(f"fonts is {folder!r}, where there are none; needed: FAMILY/*.woff2, .ttf or .otf")
    return folder


@functools.cache
def stroke_glyphs(held_out: bool) -> dict[str, list[Glyph]]:
    """Hershey's letters (1967) by character, in a box of 1×1."""
    glyphs: dict[str, list[Glyph]] = {}
    for name in STROKE_FONTS:
        if (name in HELD_OUT_STROKE_FONTS) != held_out:
            continue
        font = HersheyFonts()
        font.load_default_font(name)
        for character in LETTERS:
            strokes = [list(stroke) for stroke in font.strokes_for_text(character)]
            glyphs.setdefault(character, []).append(in_unit_box(strokes))
    return glyphs


@functools.cache
def foreign_stroke_glyphs(held_out: bool) -> tuple[Glyph, ...]:
    """Hershey's letters of other alphabets, in a box of 1×1."""
    glyphs: list[Glyph] = []
    for name, characters in FOREIGN_STROKES.items():
        if (name in HELD_OUT_STROKE_FONTS) == held_out:
            font = HersheyFonts()
            font.load_default_font(name)
            letters = ([list(stroke) for stroke in font.strokes_for_text(character)] for character in characters)
            glyphs += map(in_unit_box, letters)
    return tuple(glyphs)


@functools.cache
def fonts_with(character: str, held_out: bool) -> tuple[Path, ...]:
    """Those that have more for it than the box for what is missing."""
    return tuple(
        path
        for path in font_paths(held_out)
        if not np.array_equal(printed(character, path), printed(NO_CHARACTER, path))
    )


def in_unit_box(strokes: Glyph) -> Glyph:
    points = np.concatenate([np.asarray(stroke, dtype=np.float64) for stroke in strokes])
    low, size = points.min(axis=0), max(np.ptp(points, axis=0).max(), 1e-6)
    return [[(float(x), float(y)) for x, y in (np.asarray(stroke) - low) / size] for stroke in strokes]


@functools.cache
def opened(path: Path) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(path), SIZE)


def printed(text: str, path: Path) -> Ink:
    """float32 [H, W]"""
    font = opened(path)
    left, top, right, bottom = (int(side) for side in font.getbbox(text))
    image = Image.new("L", (max(1, right - left), max(1, bottom - top)))
    ImageDraw.Draw(image).text((-left, -top), text, font=font, fill=255)
    return np.asarray(image, dtype=np.float32) / np.float32(255)
