"""Artefacts to change to, good and bad, made of the shipped ones."""

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.harness import ROOT

FILE = "model.onnx"


def metadata_of(folder: Path) -> dict[str, Any]:
    metadata: dict[str, Any] = json.loads((folder / "metadata.json").read_text())
    return metadata


def change_metadata(folder: Path, **values: Any) -> None:
    (folder / "metadata.json").write_text(json.dumps({**metadata_of(folder), **values}))


def ship(models: Path, *names: str) -> Path:
    """A folder of models with the shipped ones, in fp32 alone."""
    for name in names:
        (models / name).mkdir(parents=True)
        for file in (FILE, "metadata.json"):
            shutil.copyfile(ROOT / "exported" / name / file, models / name / file)
    return models


def put_model(folder: Path, content: bytes) -> str:
    """In the place of its own, with the hash in the metadata. The hash."""
    sha256 = hashlib.sha256(content).hexdigest()
    (folder / FILE).write_bytes(content)
    change_metadata(folder, files={FILE: {"sha256": sha256}})
    return sha256


def renew(folder: Path, version: int) -> tuple[str, float]:
    """An artefact like the one in `folder` takes its place at once: it answers the same, under another hash and
    threshold. Both of them."""
    made = folder.with_name(f".{folder.name}.{version}")
    shutil.copytree(folder, made)
    model = onnx.load(made / FILE)
    model.doc_string = f"version {version}"
    threshold = 0.5 + version / 100
    sha256 = put_model(made, model.SerializeToString())
    change_metadata(made, reject_threshold=threshold)
    replace(folder, made)
    return sha256, threshold


def replace(folder: Path, made: Path) -> None:
    old = folder.with_name(f".{folder.name}.old")
    folder.rename(old)
    made.rename(folder)
    shutil.rmtree(old)


def constant(probabilities: Sequence[float], side: int = 28) -> bytes:
    """A network that answers every image with them."""
    constants: dict[str, np.ndarray] = {
        "axes": np.array([1, 2], np.int64),
        "nought": np.zeros(1, np.float32),
        "row": np.array([probabilities], np.float32),
    }
    nodes = [
        helper.make_node("Cast", ["images"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["floats", "axes"], ["means"], keepdims=1),
        helper.make_node("Flatten", ["means"], ["column"]),
        helper.make_node("Mul", ["column", "nought"], ["noughts"]),
        helper.make_node("Add", ["noughts", "row"], ["probabilities"]),
    ]
    graph = helper.make_graph(
        nodes,
        "constant",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", side, side])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", len(probabilities)])],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    content: bytes = model.SerializeToString()
    return content
