"""Tries what a worker does at its start: `python -m service.check`. One line and exit code 1 where it cannot.

Run by a supervisor, it leaves to the workers a copy of the models that it has checked.
"""

import os
import sys

from service import settings
from service.errors import StartError
from service.fleet import shared_folder
from service.model import snapshot
from service.model.engine import Engine, load_engines


def main() -> None:
    for name in settings.unknown(os.environ):
        print(f"numeral: {name} is no setting and is ignored", file=sys.stderr)
    try:
        engines = load_engines(settings.load())
        for engine in engines.values():
            engine.warm_up()
        if shared := shared_folder.find():
            snapshot.take((engine.artefact for engine in engines.values()), shared)
    except StartError as error:
        sys.exit(f"numeral cannot start: {error}")
    for name, engine in engines.items():
        print(f"numeral: model {name} {describe(engine)}", file=sys.stderr)


def describe(engine: Engine) -> str:
    return f"{engine.artefact.sha256[:12]} runs in {engine.artefact.precision} on {engine.provider}"


if __name__ == "__main__":
    main()
