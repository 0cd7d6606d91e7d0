"""The canonical digit is made as MNIST was."""

import numpy as np
import pytest
from PIL import Image

from service.picture.canonical import resampling


@pytest.mark.parametrize(("old", "new"), [(5, 20), (20, 20), (28, 20), (31, 17), (128, 20), (1, 20), (100, 1)])
def test_resampling_is_pillows_bilinear_filter(old: int, new: int) -> None:
    line = np.random.default_rng(0).random((1, old)).astype(np.float32)
    theirs = np.asarray(Image.fromarray(line).resize((new, 1), Image.Resampling.BILINEAR))
    np.testing.assert_allclose(line @ resampling(old, new).T, theirs, atol=1e-5)
