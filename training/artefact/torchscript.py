"""TorchScript: deprecated since torch 2.14, but there are servers that run it. Its warnings are silenced here alone."""

import contextlib
import io
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn


@contextlib.contextmanager
def known_to_be_deprecated() -> Iterator[None]:
    with warnings.catch_warnings():
        for category in (FutureWarning, DeprecationWarning):
            warnings.filterwarnings("ignore", message=r"`torch\.jit\.", category=category)
        yield


def write(graph: nn.Module, example: Tensor, path: Path) -> None:
    """Traces `graph`, a module in evaluation mode, with the input `example`."""
    with known_to_be_deprecated():
        buffer = io.BytesIO()
        torch.jit.save(torch.jit.trace(graph, (example,)), buffer)
    path.write_bytes(without_source_paths(buffer))


def without_source_paths(archive: io.BytesIO) -> bytes:
    """The same archive less its debug records, which name the source files of the machine that made it."""
    kept = io.BytesIO()
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(kept, "w") as new:
        for record in old.infolist():
            if not record.filename.endswith(".debug_pkl"):
                new.writestr(record, old.read(record))
    return kept.getvalue()


def read(path: Path) -> torch.jit.ScriptModule:
    with known_to_be_deprecated():
        module: torch.jit.ScriptModule = torch.jit.load(str(path))
    return module
