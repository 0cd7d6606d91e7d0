"""A network as an ONNX file, any number of images at a time."""

from pathlib import Path

import onnx_ir
import torch
from onnx_ir.passes.common import ClearMetadataAndDocStringPass
from torch import Tensor, nn


def write(graph: nn.Module, images: Tensor, outputs: list[str], path: Path) -> None:
    """`graph` takes `images`, of which there may be others later, and gives what `outputs` names."""
    program = torch.onnx.export(
        graph,
        (images,),
        dynamo=True,
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        input_names=["images"],
        output_names=outputs,
        verbose=False,
    )
    model = program.model  # type: ignore[union-attr]  # only the older exporter returns None
    # Every node carries its stack trace, with the paths of the machine that exported it.
    onnx_ir.save(ClearMetadataAndDocStringPass()(model).model, path)
