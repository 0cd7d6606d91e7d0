"""The tiny network is known to all tests of training, beside the shipped ones."""

from collections.abc import Iterator

import pytest

from tests.training.tiny import TINY
from training.networks import NETWORKS


@pytest.fixture(autouse=True, scope="package")
def tiny() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(NETWORKS, "tiny", TINY)
        yield
