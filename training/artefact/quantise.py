"""The int8 artefact: static quantisation for CPUs with VNNI, activations unsigned, weights signed and per channel."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import Tensor

BATCH = 100

QUANTISED = ("Conv", "MatMul", "Gemm", "MaxPool", "Concat", "AveragePool", "GlobalAveragePool", "Relu", "Reshape")
"""Scaling before and softmax after the network stay in float32."""


class Batches(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime.quantization has no types
    def __init__(self, images: np.ndarray) -> None:
        chunks = np.array_split(images, max(1, len(images) // BATCH))
        self.batches: Iterator[dict[str, np.ndarray]] = iter({"images": chunk} for chunk in chunks)

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self.batches, None)


def quantise(model: Path, images: Tensor, target: Path) -> None:
    """The ranges of the activations come from `images`, uint8 [N, *shape], which the network reads."""
    with tempfile.TemporaryDirectory() as temporary:
        prepared = Path(temporary) / "prepared.onnx"
        quant_pre_process(str(model), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(target),
            Batches(images.numpy()),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            op_types_to_quantize=list(QUANTISED),
            calibrate_method=CalibrationMethod.MinMax,
        )
    stripped = onnx.load(target)
    for node in stripped.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    onnx.save(stripped, target)
