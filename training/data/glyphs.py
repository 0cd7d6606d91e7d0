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

# Those that look like digits in some hand are left out: B b G g I i L l O o Q q S s Z z.
LETTERS = "ACDEFHJKMNPRTUVWXYacdefhjkmnprtuvwxy"

# Those that look like digits are left out: brackets, strokes, the exclamation mark, the comma.
SIGNS = '#@&%?*+=<>^~$€£§{}"-.©'

STROKE_FONTS = ("futural", "rowmans", "scripts", "cursive", "rowmand", "timesr")

# These are seen in validation alone.
HELD_OUT_FONTS = ("caladea", "amatic-sc", "roboto")
HELD_OUT_STROKE_FONTS = ("rowmans",)

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


def in_unit_box(strokes: Glyph) -> Glyph:
    points = np.concatenate([np.asarray(stroke, dtype=np.float64) for stroke in strokes])
    low, size = points.min(axis=0), max(np.ptp(points, axis=0).max(), 1e-6)
    return [[(float(x), float(y)) for x, y in (np.asarray(stroke) - low) / size] for stroke in strokes]


def printed(text: str, path: Path) -> Ink:
    """float32 [H, W]"""
    font = ImageFont.truetype(str(path), SIZE)
    left, top, right, bottom = (int(side) for side in font.getbbox(text))
    image = Image.new("L", (max(1, right - left), max(1, bottom - top)))
    ImageDraw.Draw(image).text((-left, -top), text, font=font, fill=255)
    return np.asarray(image, dtype=np.float32) / np.float32(255)
