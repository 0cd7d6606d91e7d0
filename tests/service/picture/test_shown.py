"""The picture of what a network saw is pixel for pixel what it saw, in grey and in colour."""

from base64 import b64decode
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from service.model.verdict import decider
from service.picture.shown import data_url


@pytest.mark.parametrize("shape", [(28, 28), (3, 32, 32)])
def test_each_pixel_comes_back(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    content = b64decode(data_url(pixels).removeprefix("data:image/png;base64,"))
    with Image.open(BytesIO(content)) as image:
        back = np.asarray(image)
    assert np.array_equal(back if back.ndim == 2 else np.moveaxis(back, -1, 0), pixels)


def test_the_candidate_that_is_surest_of_the_answer_decides() -> None:
    assert decider([]) is None
    assert decider([[0.2, 0.8]]) == 0
    assert decider([[0.6, 0.4], [0.01, 0.99]]) == 1
    # The first is surer, of something else than all come to.
    assert decider([[0.9, 0.1], [0.3, 0.7], [0.02, 0.98]]) == 2
