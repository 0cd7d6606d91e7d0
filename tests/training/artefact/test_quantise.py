"""What is done to a picture ahead of the network stays in float32."""

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from service.picture import ink_finder
from tests.harness import ROOT
from training.artefact.quantise import before_the_network


@pytest.mark.parametrize("model", [ink_finder.FILE, ROOT / "exported/googlenet/model.int8.onnx"], ids=["ink", "digits"])
def test_nothing_is_quantised_before_the_first_convolution(model: Path) -> None:
    """The levels of a picture and their squares have more steps than eight bits."""
    nodes = {node.name: node for node in onnx.load(model).graph.node}
    first = [nodes[name] for name in before_the_network(model)]
    inputs = {node.input[0] for node in first if node.op_type == "QuantizeLinear"}
    assert len(inputs) == 1, "but for what the convolution takes"
    assert {"Sqrt", "MatMul"} & {node.op_type for node in first} or model != ink_finder.FILE


def test_a_network_without_a_convolution_is_named(tmp_path: Path) -> None:
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    graph = helper.make_graph(
        [helper.make_node("Abs", ["x"], ["y"])],
        "g",
        [value],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])],
    )
    onnx.save(helper.make_model(graph), tmp_path / "none.onnx")
    with pytest.raises(ValueError, match=r"none\.onnx has no convolution"):
        before_the_network(tmp_path / "none.onnx")
