"""Tries what a worker does at its start: `python -m service.check`. One line and exit code 1 where it cannot."""

import os
import sys

from service.errors import StartError
from service.model.engine import load_engines
from service.settings import Settings


def main() -> None:
    for name in Settings.unknown(os.environ):
        print(f"numeral: {name} is no setting and is ignored", file=sys.stderr)
    try:
        engines = load_engines(Settings.from_environment(os.environ))
        for engine in engines.values():
            engine.warm_up()
    except StartError as error:
        sys.exit(f"numeral cannot start: {error}")
    for name, engine in engines.items():
        runs = f"runs in {engine.artefact.precision} on {engine.provider}"
        print(f"numeral: model {name} {engine.artefact.sha256[:12]} {runs}", file=sys.stderr)


if __name__ == "__main__":
    main()
