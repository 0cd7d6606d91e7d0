"""Tries what a worker does at its start: `python -m service.check`. One line and exit code 1 where it cannot.

Run by a supervisor, it leaves to the workers a copy of the models that it has checked.
"""

import os
import resource
import sys
from collections.abc import Sequence
from pathlib import Path

from service import settings
from service.errors import StartError
from service.fleet import shared_folder
from service.model import snapshot
from service.model.engine import Engine, load_engines
from service.picture.prepare import warm_up
from service.settings import Settings
from service.web.worker import open_board

# File descriptors that a worker wants: for itself, and for as many connections.
LEAST_DESCRIPTORS = 128


def main() -> None:
    for name in settings.unknown(os.environ):
        print(f"numeral: {name} is no setting and is ignored", file=sys.stderr)
    try:
        chosen = settings.load()
        check_descriptors()
        check_pictures()
        engines = load_engines(chosen)
        for engine in engines.values():
            engine.warm_up()
        if shared := shared_folder.find():
            snapshot.take((engine.artefact for engine in engines.values()), shared)
            check_board(chosen, sorted(engines), shared)
    except StartError as error:
        sys.exit(f"numeral cannot start: {error}")
    for name, engine in engines.items():
        print(f"numeral: model {name} {describe(engine)}", file=sys.stderr)


def check_descriptors() -> None:
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit != resource.RLIM_INFINITY and limit < LEAST_DESCRIPTORS:
        raise StartError(f"{limit} files may be open at a time (ulimit -n); {LEAST_DESCRIPTORS} or more are needed")


def check_pictures() -> None:
    try:
        warm_up()
    except RuntimeError as error:
        raise StartError(f"pictures cannot be read: {error}") from error


def check_board(chosen: Settings, models: Sequence[str], shared: Path) -> None:
    try:
        open_board(chosen, models, number=1)
    except OSError as error:
        raise StartError(f"{shared} has no room for what the workers count there: {error}") from error


def describe(engine: Engine) -> str:
    return f"{engine.artefact.sha256[:12]} runs in {engine.artefact.precision} on {engine.provider}"


if __name__ == "__main__":
    main()
