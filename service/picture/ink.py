"""Tells ink from paper: whatever the light, the colour of the paper, and which of the two is the darker."""

import functools
from typing import NamedTuple

import numpy as np

from service.picture.arrays import Counts, Grey, Mask

# The paper is fitted on every n-th pixel, so that about so many are looked at along a side.
FIT_SIDE = 32

# So many of all pixels have the very same level, and so many of the paper's are near it: a drawing or a scan, whose
# paper needs no fit. An overexposed photograph has the first and not the second.
FLAT_SHARE = 0.25
FLAT_PAPER = 0.8

# Share of the side that counts as the frame where box lines and a neighbour's strokes intrude.
MARGIN = 0.12

# Of Otsu's threshold, which cuts a faint pencil stroke into pieces.
INK_THRESHOLD = 0.6

LEVELS = np.arange(256, dtype=np.float64)


class Ink(NamedTuple):
    """strength: how far each pixel departs from the paper towards the ink, 0 and up; mask: where that is ink."""

    strength: Grey
    mask: Mask
    on_flat_paper: bool


def find_ink(grey: Grey) -> Ink:
    counts = np.bincount(grey.ravel().astype(np.uint8), minlength=256)
    cut = cut_of_flat(counts)
    if cut:
        return Ink(*ink_on_flat_paper(grey, counts, cut), on_flat_paper=True)
    strength = ink_on_uneven_paper(grey)
    return Ink(strength, strength > INK_THRESHOLD * otsu(strength), on_flat_paper=False)


def cut_of_flat(counts: Counts) -> int:
    """Where the levels of ink and paper part, or 0 where the paper is not flat. counts: of the levels 0 to 255."""
    level = int(counts.argmax())
    if counts[level] < FLAT_SHARE * counts.sum():
        return 0
    cut = cut_of(counts)
    paper = counts[cut:] if level >= cut else counts[:cut]
    return cut if counts[max(0, level - 3) : level + 4].sum() >= FLAT_PAPER * paper.sum() else 0


def ink_on_flat_paper(grey: Grey, counts: Counts, cut: int) -> tuple[Grey, Mask]:
    """counts: of the levels 0 to 255, of which those from `cut` on are of the one, the others of the other."""
    dark = grey < cut
    if paper_is_light(dark):
        paper = cut + int(counts[cut:].argmax())
        strength = np.maximum(paper - grey, 0)
    else:
        paper = int(counts[:cut].argmax())
        strength = np.maximum(grey - paper, 0)
    return strength, strength > INK_THRESHOLD * max(1, abs(paper - cut))


def ink_on_uneven_paper(grey: Grey) -> Grey:
    level = grey - fit_paper(grey, None)
    dark = level < otsu(level)
    ink_is_dark = paper_is_light(dark)
    paper = fit_paper(grey, ~dark if ink_is_dark else dark)
    strength: Grey = np.maximum(paper - grey if ink_is_dark else grey - paper, 0)
    return strength


def paper_is_light(dark: Mask) -> bool:
    """By three votes of unequal weight: ink is the smaller part, and rarely in the corners or at the border."""
    height, width = dark.shape
    rows, columns = max(1, round(height * MARGIN)), max(1, round(width * MARGIN))
    strips = dark[:rows], dark[-rows:]
    corners = sum(np.count_nonzero(part) for strip in strips for part in (strip[:, :columns], strip[:, -columns:]))
    border = sum(np.count_nonzero(side) for side in (dark[0], dark[-1], dark[:, 0], dark[:, -1]))
    votes = corners / (4 * rows * columns) + border / (2 * (height + width)) + 2 * np.count_nonzero(dark) / dark.size
    return bool(votes < 2)


@functools.lru_cache(maxsize=16)
def polynomials(height: int, width: int) -> Grey:
    """float32 [H·W, 6]: 1, x, y and their products, over ±1."""
    y, x = np.meshgrid(*(np.linspace(-1, 1, length, dtype=np.float32) for length in (height, width)), indexing="ij")
    terms = [np.ones_like(x), x, y, x * x, x * y, y * y]
    return np.stack([term.ravel() for term in terms], axis=1)


def fit_paper(grey: Grey, where: Mask | None) -> Grey:
    """The least-squares surface of second order through the pixels of `where`, all of them if None.

    Fitted again without the pixels that stand out from the first fit: ink, where it is not known yet, bends nothing.
    """
    basis = polynomials(*grey.shape)
    step = max(1, max(grey.shape) // FIT_SIDE)
    sampled = polynomials(*grey[::step, ::step].shape)
    levels = grey[::step, ::step].ravel()
    weights = np.ones_like(levels) if where is None else where[::step, ::step].ravel().astype(np.float32)
    coefficients = np.zeros(basis.shape[1], np.float32)
    for _ in range(3 if where is None else 2):
        if weights.sum() <= 2 * basis.shape[1]:
            break
        weighted = sampled * weights[:, None]
        # A trace of ridge: a single row of pixels leaves a slope undetermined.
        normal = weighted.T @ sampled + 1e-3 * np.eye(basis.shape[1], dtype=np.float32)
        coefficients = np.linalg.solve(normal, weighted.T @ levels)
        distance = np.abs(levels - sampled @ coefficients)
        spread = float(distance @ weights) / float(weights.sum())
        weights = weights * (distance <= 1.5 * spread + 1)
    surface: Grey = (basis @ coefficients).reshape(grey.shape)
    return surface


def otsu(values: Grey) -> float:
    """The threshold of greatest variance between the two classes (Otsu 1979), on 128 levels."""
    low, high = float(values.min()), float(values.max())
    if high <= low:
        return high
    scale = 127 / (high - low)
    counts = np.bincount(((values - low) * scale).ravel().astype(np.intp), minlength=128)
    return low + cut_of(counts) / scale


def cut_of(counts: Counts) -> int:
    """The first level of the upper class."""
    levels = LEVELS[: len(counts)]
    below = counts.cumsum()
    sums = (counts * levels).cumsum()
    above = below[-1] - below
    difference = sums / np.maximum(below, 1) - (sums[-1] - sums) / np.maximum(above, 1)
    return int((below * above * difference * difference).argmax()) + 1
