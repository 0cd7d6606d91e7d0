"""Models of operators that are not ONNX's own, or with weights elsewhere, are refused, wherever in the file that is.

The files are written by the package onnx, so that it says what a file is and not the reader under test.
"""

import contextlib
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import AttributeProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from service.errors import StartError
from service.model import onnx_file
from tests.harness import ROOT

PATH = Path("exported/mine/model.onnx")
SHIPPED = [*sorted(ROOT.glob("exported/*/*.onnx")), ROOT / "service/picture/ink_finder.onnx"]
FOREIGN = helper.make_node("Frobnicate", ["a"], ["b"], domain="com.acme")


def model(*nodes: NodeProto, tensors: tuple[TensorProto, ...] = ()) -> ModelProto:
    return helper.make_model(helper.make_graph(nodes, "g", [], [], tensors))


def elsewhere() -> TensorProto:
    tensor = numpy_helper.from_array(np.zeros(4, np.float32), "weights")
    onnx.external_data_helper.set_external_data(tensor, "/etc/passwd")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    return tensor


def within(node: NodeProto) -> NodeProto:
    """An If whose branch holds it."""
    branch = helper.make_graph([node], "branch", [], [])
    return helper.make_node("If", ["c"], ["b"], then_branch=branch, else_branch=branch)


def function() -> ModelProto:
    made = model(helper.make_node("Mine", ["a"], ["b"], domain="ai.onnx"))
    opsets = [helper.make_opsetid("", 18)]
    made.functions.append(helper.make_function("ai.onnx", "Mine", ["a"], ["b"], [FOREIGN], opsets))
    return made


def trained() -> ModelProto:
    made = model()
    made.training_info.add().algorithm.node.append(FOREIGN)
    return made


def constant(kind: AttributeProto.AttributeType) -> NodeProto:
    """An operator with such a tensor as an attribute: alone, in a list or as a sparse one."""
    node = helper.make_node("Constant", [], ["b"])
    attribute = node.attribute.add(name="value", type=kind)
    {
        AttributeProto.TENSOR: attribute.t,
        AttributeProto.TENSORS: attribute.tensors.add(),
        AttributeProto.SPARSE_TENSOR: attribute.sparse_tensor.values,
    }[kind].CopyFrom(elsewhere())
    return node


def deep(levels: int) -> NodeProto:
    node = FOREIGN
    for _ in range(levels):
        node = within(node)
        del node.attribute[1:]
    return node


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_is_shipped_is_allowed_and_all_of_it_is_seen(path: Path) -> None:
    content = path.read_bytes()
    onnx_file.check(content, path)
    read = [fields for kind, fields in onnx_file.messages(memoryview(content)) if kind == "node"]
    assert {onnx_file.text_of(fields, onnx_file.OPERATOR) for fields in read} == {
        node.op_type for node in onnx.load(path).graph.node
    }
    assert len(read) == len(onnx.load(path).graph.node)


def test_a_domain_that_is_named_and_not_used_is_allowed() -> None:
    """ONNX Runtime's quantiser writes all that it knows into the file."""
    made = model(helper.make_node("Relu", ["a"], ["b"]))
    made.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    onnx_file.check(made.SerializeToString(), PATH)


@pytest.mark.parametrize(
    "made",
    [model(FOREIGN), model(within(FOREIGN)), model(within(within(FOREIGN))), model(deep(30)), function(), trained()],
    ids=["graph", "branch", "branch of a branch", "deep", "function", "training"],
)
def test_a_foreign_operator_is_refused_wherever_it_is(made: ModelProto) -> None:
    with pytest.raises(
        StartError,
        match=r"mine/model\.onnx uses the operator 'Frobnicate' of the domain 'com\.acme'; allowed: .*ai\.onnx",
    ):
        onnx_file.check(made.SerializeToString(), PATH)


def test_operators_of_onnx_runtime_alone_are_refused() -> None:
    made = model(helper.make_node("QGemm", ["a"], ["b"], domain="com.microsoft"))
    with pytest.raises(StartError, match=r"'QGemm' of the domain 'com\.microsoft'"):
        onnx_file.check(made.SerializeToString(), PATH)


@pytest.mark.parametrize(
    "made",
    [
        model(tensors=(elsewhere(),)),
        model(constant(AttributeProto.TENSOR)),
        model(constant(AttributeProto.TENSORS)),
        model(constant(AttributeProto.SPARSE_TENSOR)),
        model(within(constant(AttributeProto.TENSOR))),
    ],
    ids=["initializer", "attribute", "attributes", "sparse", "branch"],
)
def test_weights_elsewhere_are_refused_wherever_they_are_named(made: ModelProto) -> None:
    with pytest.raises(StartError, match=r"model\.onnx has the weights 'weights' in another file; allowed: all within"):
        onnx_file.check(made.SerializeToString(), PATH)


@given(st.binary(max_size=64))
def test_bytes_of_any_kind_are_read_or_refused(content: bytes) -> None:
    """No other error comes out."""
    with contextlib.suppress(StartError):
        onnx_file.check(content, PATH)


@pytest.mark.parametrize("left", [1, 10_000])
def test_a_file_that_is_cut_short_is_refused(left: int) -> None:
    with pytest.raises(StartError, match="is no ONNX file: it is cut short"):
        onnx_file.check(SHIPPED[0].read_bytes()[:-left], PATH)


def test_numbers_of_fields_that_others_would_cut_are_refused() -> None:
    """Protobuf takes the 32 lower bits of a field's head: here those of a node's domain."""
    head = bytes([0x80 | (7 << 3 | 2), 0x80, 0x80, 0x80, 0x10])
    node = FOREIGN.SerializeToString().replace(b"\x3a\x08com.acme", head + b"\x08com.acme")
    graph = b"\x0a" + bytes([len(node)]) + node
    hidden = b"\x08\x0a" + b"\x3a" + bytes([len(graph)]) + graph
    with pytest.raises(StartError, match="is no ONNX file: a field of the number"):
        onnx_file.check(hidden, PATH)


def test_a_file_without_a_graph_is_none() -> None:
    with pytest.raises(StartError, match="is no ONNX file: it has no graph"):
        onnx_file.check(b"", PATH)
