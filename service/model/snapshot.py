"""The artefacts of a server, fixed at its start.

A worker that is replaced while `exported/` is written to must serve what the others do, under the same hash. So the
supervisor copies what it has checked, and the workers read the copy.
"""

import shutil
from collections.abc import Iterable
from pathlib import Path

from service.errors import StartError
from service.model.artefact import METADATA, Artefact

FOLDER = "models"


def take(artefacts: Iterable[Artefact], shared: Path) -> None:
    """Into a folder of `shared`: of each artefact its metadata and the one file that is served."""
    for artefact in artefacts:
        copy = shared / FOLDER / artefact.name
        try:
            copy.mkdir(parents=True)
            for name in (METADATA, artefact.path.name):
                shutil.copyfile(artefact.path.parent / name, copy / name)
        except OSError as error:
            raise StartError(f"{copy} cannot be written, where the workers read their models: {error}") from error


def of(shared: Path) -> Path:
    """The folder to load from, as `NUMERAL_MODELS_DIR` else."""
    return shared / FOLDER
