"""An image is answered with the same bits, whatever the size of its batch and whoever else is in it."""

import numpy as np
import pytest

from service.model.artefact import Precision, load
from service.model.engine import Engine, has_int8_instructions
from tests.harness import ROOT, Digits

IMAGES = 64

ON_THIS_CPU: list[Precision] = ["fp32", "int8"] if has_int8_instructions() else ["fp32"]


@pytest.mark.parametrize("precision", ON_THIS_CPU)
@pytest.mark.parametrize("model", ["googlenet", "alexnet"])
def test_batch_and_neighbours_change_no_bit(model: str, precision: Precision, digits: Digits) -> None:
    engine = Engine(load(ROOT / "exported" / model, precision), "cpu", threads=1, max_batch=IMAGES)
    rng = np.random.default_rng(0)
    images = digits.images[rng.permutation(len(digits.images))[:IMAGES]]
    alone = np.concatenate([engine.run(image[np.newaxis]) for image in images])
    assert len(np.unique(alone, axis=0)) == IMAGES, "or all would be alike whatever was mixed up"
    for size in range(1, engine.max_batch + 1):
        order = rng.permutation(IMAGES)
        batches = np.split(order, range(size, IMAGES, size))
        together = np.concatenate([engine.run(images[batch]) for batch in batches])
        assert np.array_equal(together, alone[order]), f"in batches of {size}"
