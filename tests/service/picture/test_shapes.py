"""Shapes are the 8-connected ones, and their figures those of their pixels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import find_objects, label

from service.picture.shapes import Box, find_shapes


@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.integers(1, 30), st.floats(0.05, 0.95))
def test_shapes_are_those_that_scipy_labels(seed: int, height: int, width: int, density: float) -> None:
    mask = np.random.default_rng(seed).random((height, width)) < density
    shapes, (theirs, count) = find_shapes(mask), label(mask, np.ones((3, 3)))
    assert shapes.count == count
    boxes = find_objects(theirs)
    assert shapes.boxes() == [shapes.box(shape) for shape in range(shapes.count)]
    for shape in range(count):
        ours = shapes.mask([shape])
        number = theirs[ours].max()
        assert np.array_equal(ours, theirs == number)
        assert shapes.areas()[shape] == ours.sum()
        assert shapes.areas_inside(Box(3, 20, 2, 25))[shape] == ours[3:20, 2:25].sum()
        rows, columns = boxes[number - 1]
        assert shapes.box(shape) == Box(rows.start, rows.stop, columns.start, columns.stop)


@pytest.mark.parametrize("filled", [True, False])
def test_a_mask_of_one_kind(filled: bool) -> None:
    shapes = find_shapes(np.full((5, 7), filled))
    assert shapes.count == int(filled)
    assert shapes.mask(list(range(shapes.count))).sum() == 35 * filled
