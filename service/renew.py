"""Tries what is new in the folder of models, beside what a server serves: `python -m service.renew NUMBER [MODEL…]`.

Started by the supervisor, as a process that may take its memory with it. It leaves the generation NUMBER of all models:
the new ones that passed all that a start checks and more (`service.model.trial`), and the others as they are served.
The last line of its output is what became of them. The names stay: a folder that was not there at the start takes a
restart, as what the workers count has its place by the names.
"""

import os
import shutil
import signal
import sys
from collections.abc import Collection
from pathlib import Path

from service import settings
from service.errors import StartError
from service.fleet import generation, shared_folder
from service.fleet.lifeline import end_with_parent
from service.fleet.outcome import ALL, Outcome
from service.model import artefact, engine, snapshot, trial
from service.model.artefact import Artefact, Precision
from service.settings import Settings

# Below the workers, which answer meanwhile.
NICENESS = 5


def main() -> None:
    number, *models = sys.argv[1:]
    shared = shared_folder.find()
    assert shared is not None  # noqa: S101  # for the type checker: the supervisor has one
    end_with_parent()
    # It means the supervisor, and may be sent to all of a server's processes.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    os.nice(NICENESS)
    try:
        came_to = renew(settings.load(), shared, int(number), models)
    except StartError as error:  # there is no room for what is served either
        came_to = Outcome({}, {ALL: f"{error}; the models that are served stay"})
    sys.stdout.buffer.write(came_to.text())


def renew(chosen: Settings, shared: Path, number: int, models: Collection[str]) -> Outcome:
    """models: of which alone others are taken; all, if none is named."""
    precisions = engine.precisions(chosen)
    served = artefact.load_all(generation.folder(shared, generation.current(shared)), precisions)
    target = generation.folder(shared, number)
    changed, refused = {}, {}
    for name, old in served.items():
        try:
            if name in models or not models:
                new = candidate(chosen, old, precisions, target)
                if new is not old:
                    changed[name] = new.sha256
                    continue
        except StartError as error:
            refused[name] = f"{chosen.models_dir / name}: {error}; the model that is served stays"
            shutil.rmtree(target / name, ignore_errors=True)
        snapshot.take(old, target)
    if not models:
        refused |= {
            name: f"{folder}: it was not there at the start; a restart serves it"
            for name, folder in new_in(chosen, served)
        }
    return Outcome(changed, refused)


def new_in(chosen: Settings, served: Collection[str]) -> list[tuple[str, Path]]:
    try:
        folders = artefact.find_folders(chosen.models_dir)
    except StartError:  # none is there, as was said of each that is served
        return []
    return [(name, folder) for name, folder in folders.items() if name not in served]


def candidate(chosen: Settings, old: Artefact, precisions: Collection[Precision], target: Path) -> Artefact:
    """What takes the place of `old`: a copy in `target`, or `old` itself where nothing is new. Raises StartError.

    The copy is what is tried: whatever is written to the folder meanwhile is not served.
    """
    new = artefact.load(chosen.models_dir / old.name, *precisions)
    if new.is_same(old):
        return old
    copy = artefact.load(snapshot.take(new, target), *precisions)
    engines = [engine.load(each, chosen) for each in (copy, old)]
    for each in engines:
        each.warm_up()
    trial.compare(*engines)
    return copy


if __name__ == "__main__":
    main()
