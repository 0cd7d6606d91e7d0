"""Serves the exported networks over HTTP. Knows an artefact's folder, and nothing of how it was trained."""

import os

# ONNX Runtime reports its use to its makers, with an identifier that it keeps in the home folder, unless this is set
# before it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
