"""ONNX Runtime, imported late: it is told when it is imported whether it may report its use to its makers."""

import os
from types import ModuleType


def imported() -> ModuleType:
    """Its reports are off, unless the variable says otherwise; it writes an identifier into the home folder else."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    module: ModuleType = onnxruntime
    return module
