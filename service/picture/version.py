"""Which code makes a digit of a picture, and by which libraries: with both alike a picture comes out alike."""

import functools
import hashlib
from importlib.metadata import version
from pathlib import Path

from service.runtime import runtime

HERE = Path(__file__).parent

# What decodes, resizes and multiplies.
LIBRARIES = ("numpy", "pillow", "pillow-heif", "kornia-rs")


@functools.cache
def code() -> str:
    """The first 16 digits of a sha256 over this room's files: the modules, and the network that finds ink."""
    digest = hashlib.sha256()
    for path in sorted(path for path in HERE.rglob("*") if path.suffix in (".py", ".onnx")):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(HERE).as_posix()} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16]


@functools.cache
def libraries() -> str:
    """As in 'numpy 2.4.6, pillow 12.3.0, …, onnxruntime 1.32.0'."""
    named = [f"{name} {version(name)}" for name in LIBRARIES]
    return ", ".join([*named, f"onnxruntime {runtime().__version__}"])
