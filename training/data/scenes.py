"""Uploads in all their variety: digits of every kind in scenes, and what is no digit."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from PIL import Image
from scipy.ndimage import binary_dilation

from training.data import glyphs, strokes, synthesis, wheels
from training.data.dataset import NOT_A_DIGIT, Split
from training.data.scene import ANY, Conditions, Margins, Scene, cropped, empty_scene, make_scene, resized
from training.data.strokes import Ink

# Least distance of ink from the paper around it: in grey levels, and in the noise of both.
LEAST_CONTRAST = 4
LEAST_TO_NOISE = 0.7

# Of a glyph that may be no more than dust.
MOST_TRIES = 100

# Pixels a side that MNIST's digits are enlarged to, so that there is no more to see of their pixels.
ENLARGED = 84


class LabelledScene(NamedTuple):
    scene: Scene
    label: int


@dataclass(frozen=True)
class Sources:
    """What glyphs are drawn from. pieces: canonical digits; fonts: a folder of handwriting families, "" for none."""

    pieces: Split
    fonts: str = ""
    held_out: bool = False
    share_of_pieces: float = 0.5

    def digit(self, rng: Generator) -> tuple[Ink, int]:
        """Some of `pieces`, the others of pen strokes, displays, handwriting fonts and print."""
        if rng.random() < self.share_of_pieces:
            which = int(rng.integers(len(self.pieces)))
            return enlarged(self.pieces.images[which].numpy(), rng), int(self.pieces.labels[which])
        label = int(rng.integers(10))
        return cropped(self.drawn(str(label), rng, (0.24, 0.32, 0.68))), label

    def drawn(self, text: str, rng: Generator, shares: tuple[float, float, float]) -> Ink:
        """By pen strokes, as a display, in a hand's font, else in print. `shares`: of the first three, added up."""
        how = rng.random()
        hands = glyphs.hand_paths(self.fonts, self.held_out)
        if how < shares[0]:
            return synthesis.written_digit(int(text), rng)
        if how < shares[1]:
            return strokes.write(strokes.DISPLAY[int(text)], rng, widest=3.0)
        if how < shares[2] and hands:
            return glyphs.printed(text, hands[rng.integers(len(hands))])
        return synthesis.printed_text(text, rng, self.held_out)

    def other(self, rng: Generator) -> Ink:
        """A letter or a sign, a word, a scribble or a blot."""
        how = rng.random()
        if how < 0.04:
            return cropped(synthesis.blots(rng))
        if how < 0.08:
            return cropped(strokes.write(strokes.scribble(rng), rng))
        if how < 0.12:
            return cropped(synthesis.printed_text(synthesis.word(rng), rng, self.held_out))
        if how < 0.3:
            return cropped(synthesis.written_letter(rng, self.held_out))
        if how < 0.5:
            return cropped(synthesis.foreign_letter(rng, self.held_out))
        if how < 0.9:
            characters = glyphs.SIGNS if how > 0.8 else glyphs.LETTERS
            hand = (0.0, 0.0, 0.5) if characters == glyphs.LETTERS else (0.0, 0.0, 0.0)
            return cropped(self.drawn(synthesis.pick(characters, rng), rng, hand))
        return cropped(strokes.write(strokes.MARKS[rng.integers(len(strokes.MARKS))], rng))

    def several(self, rng: Generator) -> Ink:
        """Two to four digits in a row."""
        height = 60
        row = []
        for _ in range(rng.integers(2, 5)):
            digit, _ = self.digit(rng)
            own = round(height * rng.uniform(0.8, 1))
            width = min(2 * height, max(2, round(digit.shape[1] * own / digit.shape[0])))
            cell = np.zeros((height, width + int(rng.integers(1, 14))), np.float32)
            top = int(rng.integers(0, height - own + 1))
            cell[top : top + own, :width] = resized(digit, (own, width))
            row.append(cell)
        return np.concatenate(row, axis=1)

    def clutter(self, rng: Generator) -> Ink:
        return self.digit(rng)[0] if rng.random() < 0.6 else self.other(rng)


def enlarged(image: np.ndarray, rng: Generator) -> Ink:
    """A canonical digit, uint8 [28, 28], by a wider pen or a finer one, its edges sharper or as soft as they are."""
    large = Image.fromarray(image).resize((ENLARGED, ENLARGED), Image.Resampling.BICUBIC)
    ink = np.asarray(large, dtype=np.float32) / np.float32(255)
    edge = np.float32(rng.uniform(0.35, 0.7))
    sharp: Ink = np.clip((ink - edge) * np.float32(rng.uniform(1, 3.5)) + np.float32(0.5), 0, 1)
    return cropped(sharp)


def any_scene(sources: Sources, rng: Generator) -> LabelledScene:
    """Three in four hold one digit, that one can see; the others a letter or a sign, several digits, or nothing.

    A counter's wheel may stand so that it is a digit, or between two.
    """
    kind = rng.random()
    if kind < 0.72:
        return digit_scene(sources, rng)
    if kind < 0.76:
        return wheel_scene(sources, rng)
    if kind < 0.86:
        return LabelledScene(seen(lambda: make_scene(sources.other(rng), sources.clutter, rng)), NOT_A_DIGIT)
    if kind < 0.91:
        return LabelledScene(seen(lambda: make_scene(sources.several(rng), sources.clutter, rng)), NOT_A_DIGIT)
    return LabelledScene(empty_scene(sources.clutter, rng), NOT_A_DIGIT)


def digit_scene(
    sources: Sources,
    rng: Generator,
    around: Callable[[Generator], Margins] | None = None,
    conditions: Conditions = ANY,
) -> LabelledScene:
    glyph, label = sources.digit(rng)
    scene = seen(lambda: make_scene(glyph, sources.clutter, rng, around and around(rng), conditions))
    return LabelledScene(scene, label)


def wheel_scene(sources: Sources, rng: Generator) -> LabelledScene:
    for _ in range(MOST_TRIES):
        scene, label = wheels.make_scene(rng, sources.clutter, sources.held_out)
        if is_visible(scene):
            break
    return LabelledScene(scene, label)


def seen(make: Callable[[], Scene]) -> Scene:
    """Again until it can be, if it ever can."""
    for _ in range(MOST_TRIES):
        if is_visible(scene := make()):
            break
    return scene


def is_visible(scene: Scene) -> bool:
    """Whether the ink stands out from what is right around it."""
    ink = scene.ink > 127
    ring = binary_dilation(ink, iterations=max(2, max(ink.shape) // 20)) & (scene.ink < 40)
    if not ink.any():
        return False
    if not ring.any():
        return True
    levels = scene.picture.astype(np.float32)
    distance = abs(float(levels[ink].mean() - levels[ring].mean()))
    noise = float(levels[ring].std() + levels[ink].std() / 2)
    return distance > LEAST_CONTRAST and distance > LEAST_TO_NOISE * noise
