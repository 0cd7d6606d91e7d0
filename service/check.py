"""Tries what a worker does at its start: `python -m service.check`. One line and exit code 1 where it cannot.

Run by a supervisor, it leaves to the workers a copy of the models that it has checked.
"""

import os
import resource
import sys
from pathlib import Path

from service import settings
from service.errors import StartError
from service.fleet import generation, shared_folder
from service.fleet.lifeline import end_with_parent
from service.fleet.metrics import Models
from service.model import snapshot
from service.model.engine import Engine, load_engines
from service.picture.prepare import warm_up
from service.settings import Settings
from service.web import api_keys
from service.web.access_log import STANDARD_OUTPUT
from service.web.worker import labels_of, open_board

# File descriptors that a worker wants: for itself, and for as many connections.
LEAST_DESCRIPTORS = 128


def main() -> None:
    shared = shared_folder.find()
    if shared:
        end_with_parent()
    for line in settings.ignored(os.environ):
        print(f"numeral: {line}", file=sys.stderr)
    try:
        chosen = settings.load()
        check_descriptors()
        check_log(chosen)
        check_pictures()
        engines = load_engines(chosen)
        for engine in engines.values():
            engine.warm_up()
        if shared:
            for engine in engines.values():
                snapshot.take(engine.artefact, generation.folder(shared, generation.FIRST))
            generation.publish(shared, generation.FIRST)
            check_board(chosen, labels_of(engines), shared)
            if chosen.api_key_file:
                api_keys.take(chosen.api_key_file, shared)
        elif chosen.api_key_file:
            api_keys.read(chosen.api_key_file)
    except StartError as error:
        sys.exit(f"numeral cannot start: {error}")
    for name, engine in engines.items():
        print(f"numeral: model {name} {describe(engine)}", file=sys.stderr)


def check_descriptors() -> None:
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit != resource.RLIM_INFINITY and limit < LEAST_DESCRIPTORS:
        raise StartError(f"{limit} files may be open at a time (ulimit -n); {LEAST_DESCRIPTORS} or more are needed")


def check_log(chosen: Settings) -> None:
    try:
        os.fstat(STANDARD_OUTPUT)
    except OSError as error:
        if chosen.access_log != "off":
            raise StartError(f"NUMERAL_ACCESS_LOG is {chosen.access_log!r}, and there is no standard output") from error


def check_pictures() -> None:
    try:
        warm_up()
    except RuntimeError as error:
        raise StartError(f"pictures cannot be read: {error}") from error


def check_board(chosen: Settings, models: Models, shared: Path) -> None:
    try:
        open_board(chosen, models, number=1)
    except OSError as error:
        raise StartError(f"{shared} has no room for what the workers count there: {error}") from error


def describe(engine: Engine) -> str:
    return f"{engine.artefact.sha256[:12]} runs in {engine.artefact.precision} on {engine.provider}"


if __name__ == "__main__":
    main()
