"""CUDA graphs: the kernels of a network, captured once for each batch size and from then on launched as one.

ONNX Runtime captures where the session was opened for it, its arrays stay at their addresses, and each size has an id.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.runtime import runtime

if TYPE_CHECKING:
    from onnxruntime import InferenceSession, IOBinding, OrtValue, RunOptions


class Bound(NamedTuple):
    """Arrays on the device that are the input and output of one batch size."""

    images: "OrtValue"
    probabilities: "OrtValue"
    binding: "IOBinding"
    options: "RunOptions"


class Replay:
    """Runs batches of the given sizes and of no other. To be used by one thread at a time: the arrays are shared."""

    def __init__(
        self,
        session: "InferenceSession",
        sizes: Sequence[int],
        shape: tuple[int, ...],
        classes: int,
        device: str = "cuda",
    ) -> None:
        self._session = session
        self._bound = {
            size: bind(session, np.zeros((size, *shape), np.uint8), classes, device, graph)
            for graph, size in enumerate(sizes, start=1)
        }

    def run(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 [size, *shape] → probabilities, float32 [size, classes]."""
        bound = self._bound[len(images)]
        bound.images.update_inplace(np.ascontiguousarray(images))
        self._session.run_with_iobinding(bound.binding, bound.options)
        return np.array(bound.probabilities.numpy())


def bind(session: "InferenceSession", blank: NDArray[np.uint8], classes: int, device: str, graph: int) -> Bound:
    images = runtime().OrtValue.ortvalue_from_numpy(blank, device, 0)
    probabilities = runtime().OrtValue.ortvalue_from_shape_and_type([len(blank), classes], np.float32, device, 0)
    binding = session.io_binding()
    binding.bind_ortvalue_input("images", images)
    binding.bind_ortvalue_output("probabilities", probabilities)
    options = runtime().RunOptions()
    options.add_run_config_entry("gpu_graph_id", str(graph))
    return Bound(images, probabilities, binding, options)
