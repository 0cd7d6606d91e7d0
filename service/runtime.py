"""ONNX Runtime, imported at its first use with its reports to its makers off.

With them on it writes an identifier into the home folder as it is imported. A supervisor, which runs no model, never
pays for it.
"""

import os
from functools import cache
from types import ModuleType

CUDA = "CUDAExecutionProvider"
CPU = "CPUExecutionProvider"


@cache
def runtime() -> ModuleType:
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    module: ModuleType = onnxruntime
    return module
