"""Copies of the artefacts of a server, fixed at its start and at each reload.

A worker that is replaced while `exported/` is written to must serve what the others do, under the same hash. So what is
checked is copied, and the workers read the copy.
"""

import shutil
from pathlib import Path

from service.errors import StartError
from service.model.artefact import METADATA, Artefact


def take(artefact: Artefact, generation: Path) -> Path:
    """The new folder in `generation`, with its metadata and the one file that is served. Raises StartError."""
    copy = generation / artefact.name
    try:
        copy.mkdir(parents=True)
        for name in (METADATA, artefact.path.name):
            shutil.copyfile(artefact.path.parent / name, copy / name)
    except OSError as error:
        raise StartError(f"{copy} cannot be written, where the workers read their models: {error}") from error
    return copy
