"""Images that no data set here holds: digits in other hands and prints, and what is no digit at all.

All in the canonical form, by the same code that serving uses.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.random import Generator
from PIL import Image, ImageFilter

from service.picture.canonical import canonical
from training.data import glyphs, strokes
from training.data.dataset import NOT_A_DIGIT, Split
from training.data.strokes import Ink

# The probability that print is of few pixels.
COARSE = 0.3

Maker = Callable[[Generator], Ink]


def digits(count: int, seed: int, held_out: bool = False) -> Split:
    """Six in ten written with pen strokes, the others printed. `held_out`: from other fonts and random numbers."""
    rng = np.random.default_rng([seed, 1, held_out])
    images: list[np.ndarray] = []
    labels: list[int] = []
    while len(images) < count:
        label = len(images) % 10
        ink = written_digit(label, rng) if rng.random() < 0.6 else printed_text(str(label), rng, held_out)
        images.append(to_canonical(ink))
        labels.append(label)
    return Split(torch.from_numpy(np.stack(images)), torch.tensor(labels))


def not_digits(count: int, seed: int, pieces: Split, held_out: bool = False) -> Split:
    """Letters, signs, strips of text, numbers of several digits, scribbles, blots and noise; labels are -1.

    `pieces`: canonical digits, of which several are put beside each other.
    """
    rng = np.random.default_rng([seed, 2, held_out])
    makers: list[tuple[float, Maker]] = [
        (0.30, lambda rng: written_letter(rng, held_out)),
        (0.10, lambda rng: foreign_letter(rng, held_out)),
        (0.20, lambda rng: printed_text(pick(glyphs.LETTERS, rng), rng, held_out)),
        (0.06, lambda rng: printed_text(pick(glyphs.SIGNS, rng), rng, held_out)),
        (0.06, lambda rng: strokes.write(strokes.MARKS[rng.integers(len(strokes.MARKS))], rng)),
        (0.05, lambda rng: strokes.write(strokes.scribble(rng), rng)),
        (0.05, lambda rng: printed_text(word(rng), rng, held_out)),
        (0.10, lambda rng: several(pieces, rng)),
        (0.08, blots),
    ]
    shares = np.array([share for share, _ in makers])
    images: list[np.ndarray] = []
    while len(images) < count:
        _, make = makers[rng.choice(len(makers), p=shares / shares.sum())]
        images.append(to_canonical(make(rng)))
    return Split(torch.from_numpy(np.stack(images)), torch.full((count,), NOT_A_DIGIT))


def to_canonical(ink: Ink) -> np.ndarray:
    """uint8 [28, 28]."""
    strongest = ink.max(initial=0)
    return canonical(ink / strongest) if strongest > 0 else np.zeros((28, 28), np.uint8)


def pick(characters: str, rng: Generator) -> str:
    return characters[rng.integers(len(characters))]


def word(rng: Generator) -> str:
    characters = glyphs.LETTERS + "0123456789"
    return "".join(pick(characters, rng) for _ in range(rng.integers(2, 9)))


def printed_text(text: str, rng: Generator, held_out: bool) -> Ink:
    fonts = glyphs.font_paths(held_out)
    ink = glyphs.printed(text, fonts[rng.integers(len(fonts))])
    return coarse(ink, rng) if rng.random() < COARSE else ink


def coarse(ink: Ink, rng: Generator) -> Ink:
    """A few pixels high and one bit deep, as a cell cut out of a photographed page: holes of 4, 6 and 9 close."""
    height = int(rng.integers(9, 20))
    small = Image.fromarray(ink).resize((max(1, round(ink.shape[1] * height / ink.shape[0])), height))
    bits: Ink = (np.asarray(small) > rng.uniform(0.15, 0.6)).astype(np.float32)
    # Of a thin font nothing would be left.
    return bits if bits.mean() > 0.8 * ink.mean() else ink


def written_digit(label: int, rng: Generator) -> Ink:
    ways = strokes.DIGITS[label]
    widest = strokes.WIDEST_PEN_OF_ONE if label == 1 else strokes.WIDEST_PEN
    return strokes.write(ways[rng.integers(len(ways))], rng, widest)


def written_letter(rng: Generator, held_out: bool) -> Ink:
    ways = glyphs.stroke_glyphs(held_out)[pick(glyphs.LETTERS, rng)]
    return strokes.write(ways[rng.integers(len(ways))], rng)


def foreign_letter(rng: Generator, held_out: bool) -> Ink:
    """Of another alphabet, half of them written."""
    ways = glyphs.foreign_stroke_glyphs(held_out)
    if rng.random() < 0.5:
        return strokes.write(ways[rng.integers(len(ways))], rng)
    character = pick(glyphs.FOREIGN_LETTERS, rng)
    fonts = glyphs.fonts_with(character, held_out)
    # Not every alphabet is in a font that is held out.
    return glyphs.printed(character, fonts[rng.integers(len(fonts))]) if fonts else foreign_letter(rng, held_out)


def several(pieces: Split, rng: Generator) -> Ink:
    """Two to four digits in a row, near each other or touching."""
    chosen = pieces.images[torch.from_numpy(rng.integers(len(pieces), size=rng.integers(2, 5)))].numpy()
    step = int(rng.integers(13, 21))
    row = np.zeros((28, 28 + step * (len(chosen) - 1)), np.uint8)
    for place, digit in enumerate(chosen):
        window = row[:, place * step : place * step + 28]
        np.maximum(window, digit, out=window)
    return np.asarray(row, dtype=np.float32) / np.float32(255)


def blots(rng: Generator) -> Ink:
    """Smooth noise cut at a level: from grain to a single blot, or stripes where it is smoothed in one direction."""
    side = int(rng.integers(4, 40))
    shape = (side, side) if rng.random() < 0.7 else (side, 2) if rng.random() < 0.5 else (2, side)
    noise = Image.fromarray((rng.random(shape) * 255).astype(np.uint8)).resize((64, 64), Image.Resampling.BICUBIC)
    smooth = np.asarray(noise.filter(ImageFilter.GaussianBlur(1)), dtype=np.float32)
    level = np.quantile(smooth, rng.uniform(0.3, 0.9))
    soft: Ink = np.clip((smooth - level) / 30 + 0.5, 0, 1).astype(np.float32)
    return soft
