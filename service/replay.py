"""Answers a file anew and says whether the answer is the same: `python -m service.replay ANSWER.json FILE`.

ANSWER.json is what `/classify` answered, or the `receipt` of it alone; of several files' answers the one to FILE is
taken. Exit code 0: all is equal; 1: it is not, and each difference is named; 2: they cannot be compared.
"""

import argparse
import hashlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from service import settings
from service.errors import StartError
from service.model.artefact import MODEL_FILES, Artefact, Precision, load_all
from service.model.engine import Engine
from service.model.receipt import conditions, receipt
from service.model.verdict import classified, refused, rounded
from service.picture.prepare import Wanted, prepare
from service.runtime import CPU
from service.settings import ProviderChoice, Settings

# Of the answer's file: 256 answers are less, with the pictures of their candidates that `explain` shows too.
ANSWER_BYTES = 16_000_000

# What a receipt is known by.
FIELDS = frozenset({"file", "model", "precision", "provider", "threshold", "code", "libraries"})

READ = ("digit", "label", "confidence", "accepted", "reason")


class CannotReplay(Exception):
    """With the offending value, and what is allowed."""


def differences(answer: Path, file: Path, chosen: Settings) -> list[str]:
    """Nothing where the models and the code here answer `file` as it was. Raises CannotReplay, StartError."""
    content = bounded(file, chosen.max_body_bytes)
    given = answer_to(content, parsed(answer))
    check_form(given)
    engine = engine_for(given, chosen)
    now = answered(content, engine, chosen)
    expected = {**given["receipt"], **flat(given)}
    return [f"{name}: {was!r}, here {now.get(name)!r}" for name, was in expected.items() if now.get(name) != was]


def bounded(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise CannotReplay(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > limit:
        raise CannotReplay(f"{path} has more than {limit:,} bytes, which is the limit")
    return content


def parsed(path: Path) -> list[dict[str, Any]]:
    """The answers in it, or its receipt as an answer of which nothing else is known."""
    try:
        value = orjson.loads(bounded(path, ANSWER_BYTES))
    except orjson.JSONDecodeError as error:
        raise CannotReplay(f"{path} is no JSON: {error}") from error
    objects = [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, dict)]
    answers = [{"receipt": one} if one.keys() >= FIELDS else one for one in objects]
    whole = [one for one in answers if isinstance(one.get("receipt"), dict) and one["receipt"].keys() >= FIELDS]
    if not whole:
        raise CannotReplay(f"{path} holds no answer with a receipt ({', '.join(sorted(FIELDS))}), and is none itself")
    return whole


def answer_to(content: bytes, answers: list[dict[str, Any]]) -> dict[str, Any]:
    """The one to the file of that content; an only one is taken for it whatever it says."""
    if len(answers) == 1:
        return answers[0]
    sha256 = hashlib.sha256(content).hexdigest()
    if found := [one for one in answers if one["receipt"]["file"] == sha256]:
        return found[0]
    raise CannotReplay(f"none of the {len(answers)} answers is to a file of sha256 {sha256}")


def check_form(given: dict[str, Any]) -> None:
    """What beside the receipt is used of it. Raises CannotReplay."""
    model, probabilities = given.get("model", {}), given.get("probabilities")
    if not isinstance(model, dict) or not isinstance(model.get("name", ""), str):
        raise CannotReplay(f"model is {str(model)[:40]!r}; allowed: an object with a name, as /classify answers it")
    if not isinstance(probabilities, dict | None):
        raise CannotReplay(f"probabilities is {str(probabilities)[:40]!r}; allowed: an object, or null")


def engine_for(given: dict[str, Any], chosen: Settings) -> Engine:
    """Of the model of the receipt or, where it is not here, of the one that has its name."""
    provider: ProviderChoice = "cpu" if given["receipt"]["provider"] == CPU else "auto"
    return Engine(artefact_for(given, chosen), provider, threads=1, max_batch=chosen.max_batch)


def artefact_for(given: dict[str, Any], chosen: Settings) -> Artefact:
    precision: Precision = "int8" if given["receipt"]["precision"] == "int8" else "fp32"
    others: list[Precision] = [one for one in MODEL_FILES if one != precision]
    there = load_all(chosen.models_dir, (precision, *others))
    same = [artefact for artefact in there.values() if artefact.sha256 == given["receipt"]["model"]]
    name = given.get("model", {}).get("name", chosen.default_model)
    if not same and name not in there:
        raise CannotReplay(f"model {name!r} is not in {chosen.models_dir}, and none there has the receipt's hash")
    return same[0] if same else there[name]


def answered(content: bytes, engine: Engine, chosen: Settings) -> dict[str, Any]:
    """The receipt and what was read."""
    artefact = engine.artefact
    prepared = prepare(content, Wanted(artefact.reads_digits, artefact.shape, chosen.max_pixels))
    if prepared.fault:
        raise CannotReplay(f"the file is answered with an error: {prepared.fault.detail}")
    if prepared.pixels is None:
        read = refused(artefact, prepared.reason or "")
    else:
        pieces = np.split(prepared.pixels, range(engine.max_batch, len(prepared.pixels), engine.max_batch))
        read = classified(artefact, [row for piece in pieces for row in rounded(engine.run(piece))])
    return {**receipt(prepared.sha256, conditions(engine)), **flat(read)}


def flat(answer: dict[str, Any]) -> dict[str, Any]:
    """What was read, each probability by a name of its own."""
    probabilities = answer.get("probabilities") or {}
    read = {name: answer[name] for name in READ if name in answer}
    return read | {f"probability of {label}": one for label, one in probabilities.items()}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m service.replay", description=__doc__)
    parser.add_argument("answer", type=Path, metavar="ANSWER.json")
    parser.add_argument("file", type=Path, metavar="FILE")
    asked = parser.parse_args(arguments)
    try:
        found = differences(asked.answer, asked.file, settings.load())
    except (CannotReplay, StartError) as error:
        print(f"cannot be compared: {error}", file=sys.stderr)
        sys.exit(2)
    print("\n".join(["different:", *found]) if found else "equal: the same file, model and code, and the same answer")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
