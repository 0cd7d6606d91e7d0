"""Trains, evaluates, exports, describes and compares the networks: one runnable module per verb."""

import os

# ONNX Runtime reports its use to its makers unless this is set before it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
