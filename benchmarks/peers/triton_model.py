"""Triton's Python backend with ONNX Runtime; the tensors arrive ready made, there is nothing to decode."""

import os
import sys

sys.path[:0] = os.environ["BENCH_SITE_PACKAGES"].split(os.pathsep)

from typing import Any

import numpy as np
import onnxruntime
import triton_python_backend_utils as backend


class TritonPythonModel:
    def initialize(self, arguments: dict[str, str]) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.session = onnxruntime.InferenceSession(os.environ["BENCH_MODEL"], options)

    def execute(self, requests: list[Any]) -> list[Any]:
        inputs = [backend.get_input_tensor_by_name(request, "images").as_numpy() for request in requests]
        probabilities = self.session.run(["probabilities"], {"images": np.concatenate(inputs)})[0]
        ends = np.cumsum([len(images) for images in inputs])[:-1]
        return [
            backend.InferenceResponse([backend.Tensor("probabilities", rows)]) for rows in np.split(probabilities, ends)
        ]
