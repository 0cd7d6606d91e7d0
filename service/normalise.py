"""Brings a picture of one digit to the canonical form that MNIST was made in.

The canonical digit is uint8 [28, 28], ink light on dark, scaled into a 20×20 box and centred by its mass (LeCun et
al. 1998, section III.A). Numpy and Pillow alone: training calibrates with the very same code.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageFilter

SIDE = 28
BOX = 20
CENTRE = 13.5
"""Of the 28 pixels, counted from 0; the centre of mass of a canonical digit."""

ORIENTATION_TAG = ExifTags.Base.Orientation

WORKING_SIDE = 128
"""Larger pictures are reduced to this or less first, to more than half of it."""

MARGIN = 0.12
"""Share of the side that counts as the frame where box lines and a neighbour's strokes intrude."""

LEAST_CONTRAST = 12.0
"""Grey levels between ink and paper under which there is nothing to read."""

CONTRAST_TO_NOISE = 3.0
INK_THRESHOLD = 0.6
"""Of Otsu's threshold, which cuts a faint pencil stroke into pieces."""

SPECK = 0.04
"""Of the main shape's area: smaller parts are dirt."""

THIN_STROKE = 1.9
"""Pixels, in the 20×20 box; MNIST's own strokes are thicker."""

Grey = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Normalised:
    """Either a digit, uint8 [28, 28], or the reason why there is none to read."""

    digit: NDArray[np.uint8] | None
    reason: str | None = None


def normalise(image: Image.Image) -> Normalised:
    """Any picture that Pillow has opened, of any mode and orientation; only its first frame is looked at."""
    grey = to_grey(image)
    if is_canonical(grey):
        return Normalised(grey.astype(np.uint8))
    strength = ink_strength(grey)
    mask = strength > INK_THRESHOLD * otsu(strength)
    if not has_ink(strength, mask):
        return Normalised(None, "blank: no ink stands out from the background")
    shape = digit_shape(mask)
    if not shape.any():
        return Normalised(None, "blank: only lines or dirt at the border")
    return Normalised(canonical(soft_ink(strength, shape), shape))


def to_grey(image: Image.Image) -> Grey:
    """float32 [H, W], 0 to 255, upright, without transparency, and reduced to the working size."""
    if image.mode.startswith("I") or image.mode == "F":
        grey = np.asarray(reduced(Image.fromarray(full_range(np.asarray(image)))), dtype=np.float32)
    elif image.mode == "P" or image.has_transparency_data:
        grey = on_opposite_ground(reduced(image.convert("RGBA")))
    else:
        grey = np.asarray(reduced(image.convert("L")), dtype=np.float32)
    return upright(grey, image)


def reduced(image: Image.Image) -> Image.Image:
    """By a whole factor, averaging. Before anything becomes a float: a large picture would take gigabytes."""
    factor = math.ceil(max(image.size) / WORKING_SIDE)
    return image.reduce(factor) if factor > 1 else image


def upright(grey: Grey, image: Image.Image) -> Grey:
    """Turned and mirrored as the EXIF orientation of `image` says; damaged EXIF says nothing."""
    try:
        orientation = image.getexif().get(ORIENTATION_TAG, 1)
    except Exception:  # Pillow's parsers raise whatever the damage leads to
        return grey
    mirrored = grey[:, ::-1] if orientation in (2, 4, 5, 7) else grey
    quarters = {3: 2, 4: 2, 5: 1, 6: 3, 7: 3, 8: 1}.get(orientation, 0)
    return np.ascontiguousarray(np.rot90(mirrored, quarters))


def full_range(values: NDArray[Any]) -> Grey:
    """Sixteen bits and more, stretched to 0 to 255; what is no number is taken for the lowest."""
    finite = np.isfinite(values)
    exact = np.where(finite, values, values[finite].min() if finite.any() else 0).astype(np.float64)
    low, high = exact.min(), exact.max()
    share = (exact / 2 - low / 2) / (high / 2 - low / 2) if high / 2 > low / 2 else np.zeros_like(exact)
    return (share * 255).astype(np.float32)


def on_opposite_ground(image: Image.Image) -> Grey:
    """Transparent parts become white under dark ink and black under light ink."""
    grey = np.asarray(image.convert("RGB").convert("L"), dtype=np.float32)
    alpha = np.asarray(image.getchannel("A"), dtype=np.float32) / np.float32(255)
    if alpha.min() == 1:
        return grey
    ink_level = float((grey * alpha).sum()) / max(float(alpha.sum()), 1e-6)
    ground = np.float32(255 if ink_level < 128 else 0)
    flat: Grey = grey * alpha + ground * (1 - alpha)
    return flat


def is_canonical(grey: Grey) -> bool:
    """Whether the picture already is what `normalise` makes: doing it again would only blur it."""
    if grey.shape != (SIDE, SIDE) or grey.max() < 128:
        return False
    rows, columns = np.nonzero(grey)
    if np.ptp(rows) >= BOX or np.ptp(columns) >= BOX:
        return False
    return all(abs(centre - CENTRE) <= 1 for centre in centre_of_mass(grey))


def centre_of_mass(values: Grey) -> tuple[float, float]:
    """Row and column."""
    total = float(values.sum())
    rows, columns = (np.arange(length, dtype=np.float32) for length in values.shape)
    return float(values.sum(axis=1) @ rows) / total, float(values.sum(axis=0) @ columns) / total


def ink_strength(grey: Grey) -> Grey:
    """float32 [H, W], 0 and up: how far each pixel departs from the background towards the ink.

    The background is a surface of second order, so a shadow across the paper is not taken for ink.
    """
    level = grey - fit_surface(grey, np.ones(grey.shape, bool), order=1, trim=True)
    dark = level < otsu(level)
    ink_is_dark = background_is_light(dark)
    background = ~dark if ink_is_dark else dark
    below = fit_surface(grey, background, order=2) - grey
    strength: Grey = np.maximum(below if ink_is_dark else -below, 0)
    return strength


def background_is_light(dark: Mask) -> bool:
    """By three votes of unequal weight: ink is the smaller part, and rarely in the corners or at the border."""
    height, width = dark.shape
    rows, columns = max(1, round(height * MARGIN)), max(1, round(width * MARGIN))
    corners = [
        dark[r, c].mean() for r in (slice(rows), slice(-rows, None)) for c in (slice(columns), slice(-columns, None))
    ]
    border = np.concatenate([dark[0], dark[-1], dark[:, 0], dark[:, -1]]).mean()
    return bool(np.mean(corners) + border + 2 * dark.mean() < 2)


def fit_surface(grey: Grey, where: Mask, order: int, trim: bool = False) -> Grey:
    """The least-squares plane (order 1) or quadric (order 2) through the pixels of `where`.

    With `trim`, fitted again without the pixels that stand out from the first fit.
    """
    y, x = np.meshgrid(*(np.linspace(-1, 1, length, dtype=np.float32) for length in grey.shape), indexing="ij")
    terms = [np.ones_like(x), x, y]
    if order == 2 and where.sum() > 30:
        terms += [x * x, x * y, y * y]
    basis = np.stack(terms, axis=-1)
    for _ in range(3 if trim else 1):
        coefficients, *_ = np.linalg.lstsq(basis[where], grey[where], rcond=None)
        surface: Grey = basis @ coefficients
        distance = np.abs(grey - surface)
        where = where & (distance <= 1.5 * distance[where].mean() + 1)
        if where.sum() <= len(terms):
            break
    return surface


def otsu(values: Grey) -> float:
    """The threshold of greatest variance between the two classes (Otsu 1979)."""
    counts, edges = np.histogram(values, bins=128)
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    sums = np.cumsum(counts * centres)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    return float(edges[1 + int(np.argmax(np.nan_to_num(variance)))])


def has_ink(strength: Grey, mask: Mask) -> bool:
    if not mask.any() or mask.all():
        return False
    contrast = float(strength[mask].mean())
    noise = float(strength[~mask].std())
    return contrast >= LEAST_CONTRAST and contrast >= CONTRAST_TO_NOISE * noise


def digit_shape(mask: Mask) -> Mask:
    """The main shape and what belongs to it, without box lines, neighbours at the border and dirt."""
    labels = label_components(mask)
    frame = np.ones(mask.shape, bool)
    rows, columns = (max(1, round(length * MARGIN)) for length in mask.shape)
    frame[rows:-rows, columns:-columns] = False
    area = np.bincount(labels.ravel())
    inside = np.bincount(labels[~frame], minlength=len(area))
    area[0] = inside[0] = 0
    if inside.max(initial=0) == 0:
        return np.zeros_like(mask)
    main = int(np.argmax(inside))
    reach = grown_bounds(labels == main)
    kept = [
        label
        for label in np.flatnonzero(area > SPECK * area[main])
        if inside[label] >= 0.3 * area[label] and (label == main or (labels[reach] == label).any())
    ]
    return np.isin(labels, kept or [main])


def grown_bounds(shape: Mask) -> tuple[slice, slice]:
    """The bounding box of `shape`, larger by a tenth on each side."""
    rows, columns = bounds(shape)
    grow = max(1, (rows.stop - rows.start) // 10)
    return (
        slice(max(0, rows.start - grow), rows.stop + grow),
        slice(max(0, columns.start - grow), columns.stop + grow),
    )


def bounds(shape: Mask) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(shape.any(axis=1)), np.flatnonzero(shape.any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def label_components(mask: Mask) -> NDArray[np.intp]:
    """8-connected components, counted from 1; 0 is background.

    Each pixel takes the least number among its neighbours, and then the number that this number's pixel has taken
    (pointer jumping), so a long stroke needs few rounds.
    """
    height, width = mask.shape
    parent = np.arange(mask.size + 1)
    numbers = np.where(mask, np.arange(mask.size).reshape(mask.shape), mask.size)
    while True:
        padded = np.pad(numbers, 1, constant_values=mask.size)
        least = numbers
        for down in range(3):
            for right in range(3):
                least = np.minimum(least, padded[down : down + height, right : right + width])
        least = np.where(mask, least, mask.size)
        parent[: mask.size] = least.ravel()
        jumped = parent[parent[least]]
        if (jumped == numbers).all():
            break
        numbers = jumped
    _, labels = np.unique(np.where(mask, numbers, -1), return_inverse=True)
    compact: NDArray[np.intp] = labels.reshape(mask.shape)
    return compact if not mask.all() else compact + 1


def soft_ink(strength: Grey, shape: Mask) -> Grey:
    """0 to 1: full ink is 1, the soft edge of a stroke is kept, everything away from `shape` is 0."""
    near = np.asarray(Image.fromarray(shape).convert("L").filter(ImageFilter.MaxFilter(3))) > 0
    full = float(np.quantile(strength[shape], 0.6))
    return np.where(near, np.clip(strength / full, 0, 1), 0).astype(np.float32)


def canonical(ink: Grey, shape: Mask) -> NDArray[np.uint8]:
    """Crops to `shape`, scales its longer side to 20, and centres by mass. ink: 0 to 1."""
    rows, columns = bounds(shape)
    cropped = Image.fromarray(ink[rows, columns])
    scale = BOX / max(cropped.size)
    size = (max(1, round(cropped.width * scale)), max(1, round(cropped.height * scale)))
    scaled = np.asarray(cropped.resize(size, Image.Resampling.BILINEAR), dtype=np.float32)
    return place(embolden(scaled / max(float(scaled.max()), 1e-6)))


def stroke_width(ink: Grey) -> float:
    """Pixels: twice the area over the length of the outline."""
    solid = np.pad(ink > 0.5, 1)
    edges = int((solid[1:] != solid[:-1]).sum()) + int((solid[:, 1:] != solid[:, :-1]).sum())
    # Pixel edges are longer than the outline they follow: by 4 / pi over all directions.
    return 2 * int(solid.sum()) / max(edges * math.pi / 4, 1)


def embolden(ink: Grey) -> Grey:
    """Thin pencil strokes are widened by a soft pixel; MNIST, and so every network here, knows none so thin."""
    if stroke_width(ink) >= THIN_STROKE:
        return ink
    wide = np.pad(ink, 1)
    neighbours = np.maximum.reduce([wide[:-2, 1:-1], wide[2:, 1:-1], wide[1:-1, :-2], wide[1:-1, 2:]])
    bolder: Grey = np.maximum(ink, 0.6 * neighbours)
    return bolder


def place(ink: Grey) -> NDArray[np.uint8]:
    """Puts up to 20×20 pixels into 28×28 so that the centre of mass comes to the centre."""
    row, column = centre_of_mass(ink)
    height, width = ink.shape
    top = min(max(round(CENTRE - row), 0), SIDE - height)
    left = min(max(round(CENTRE - column), 0), SIDE - width)
    digit = np.zeros((SIDE, SIDE), np.uint8)
    digit[top : top + height, left : left + width] = np.rint(ink * 255)
    return digit
