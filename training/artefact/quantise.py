"""The int8 artefact: static quantisation for CPUs with VNNI, activations unsigned, weights signed and per channel."""

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from torch import Tensor

from training.run import onnx_runtime

# So many images at once go through the network whose ranges are measured.
BATCH = 100

# The operators of the network itself: scaling before it and softmax after it stay in float32.
QUANTISED = ("Conv", "MatMul", "Gemm", "MaxPool", "Concat", "AveragePool", "GlobalAveragePool", "Relu", "Reshape")


class Batches:
    """What ONNX Runtime calls a CalibrationDataReader: anything with `get_next` is one."""

    def __init__(self, images: np.ndarray) -> None:
        chunks = np.array_split(images, max(1, len(images) // BATCH))
        self.batches: Iterator[dict[str, np.ndarray]] = iter({"images": chunk} for chunk in chunks)

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self.batches, None)


def quantise(model: Path, images: Tensor, target: Path) -> None:
    """The ranges of the activations come from `images`, uint8 [N, *shape], which the network reads."""
    onnx_runtime.imported()
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as temporary:
        prepared = Path(temporary) / "prepared.onnx"
        quant_pre_process(str(model), str(prepared), skip_symbolic_shape=True)
        quantization.quantize_static(
            str(prepared),
            str(target),
            Batches(images.numpy()),
            quant_format=quantization.QuantFormat.QDQ,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            per_channel=True,
            op_types_to_quantize=list(QUANTISED),
            nodes_to_exclude=before_the_network(prepared),
            calibrate_method=quantization.CalibrationMethod.MinMax,
        )
    stripped = onnx.load(target)
    for node in stripped.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    onnx.save(stripped, target)


def before_the_network(model: Path) -> list[str]:
    """The names of what is done to a picture ahead of the first convolution. Raises ValueError where there is none."""
    nodes = onnx.load(model).graph.node
    if all(node.op_type != "Conv" for node in nodes):
        raise ValueError(f"{model.name} has no convolution")
    return [node.name for node in itertools.takewhile(lambda node: node.op_type != "Conv", nodes)]
