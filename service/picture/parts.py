"""Which ink in a picture belongs to its digit: not the lines of the paper, nor boxes, neighbours and dirt."""

import numpy as np

from service.picture.arrays import Mask
from service.picture.ink import MARGIN
from service.picture.shapes import Box, Shapes, bounds

# A ruled line crosses so much of the picture, and is no thicker than this share of it.
LINE_SHARE = 0.9
LINE_THICKNESS = 0.08

# Of the main shape's area: smaller parts are dirt.
SPECK = 0.04


def without_lines(mask: Mask) -> Mask:
    """Without the lines of ruled and squared paper, which cross the whole picture; what a stroke covers stays.

    Only where the rest is well narrower than the picture: the bar of a 7 cropped closely crosses it all too.
    """
    full_rows = mask.sum(axis=1) >= LINE_SHARE * mask.shape[1]
    full_columns = mask.sum(axis=0) >= LINE_SHARE * mask.shape[0]
    if not full_rows.any() and not full_columns.any():
        return mask
    cleaned = without_bands(without_bands(mask, full_rows).T, full_columns).T
    if not cleaned.any():
        return mask
    rest = bounds(cleaned)
    return cleaned if max(rest.width / mask.shape[1], rest.height / mask.shape[0]) < LINE_SHARE else mask


def without_bands(mask: Mask, full: Mask) -> Mask:
    """Clears each band of rows that is `full` and thin, but for the pixels with ink right above and below it."""
    cleaned = mask.copy()
    steps = np.diff(np.concatenate([[0], full.astype(np.int8), [0]]))
    for top, bottom in zip(np.flatnonzero(steps == 1).tolist(), np.flatnonzero(steps == -1).tolist(), strict=True):
        if bottom - top > max(1, LINE_THICKNESS * len(full)):
            continue
        inner = top > 0 and bottom < len(mask)
        cleaned[top:bottom] = mask[top - 1] & mask[bottom] if inner else False
    return cleaned


def parts_of_digit(shapes: Shapes) -> list[int]:
    """The main shape and what belongs to it, without box lines, neighbours at the border and dirt."""
    height, width = shapes.whole.shape
    rows, columns = max(1, round(height * MARGIN)), max(1, round(width * MARGIN))
    if not shapes.whole[rows:-rows, columns:-columns].any():
        return []
    if shapes.count == 1:
        return [0]
    areas = shapes.areas()
    inside = shapes.areas_inside(Box(rows, height - rows, columns, width - columns))
    central = shapes.areas_inside(Box(height // 4, height - height // 4, width // 4, width - width // 4))
    main = int((central if central.any() else inside).argmax())
    box = shapes.box(main)
    near = shapes.areas_inside(box.grown(max(1, box.height // 10)))
    kept = (areas > SPECK * areas[main]) & (inside >= 0.3 * areas) & (near >= 0.5 * areas)
    kept[main] = True
    return np.flatnonzero(kept).tolist()
