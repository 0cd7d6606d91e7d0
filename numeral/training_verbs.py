"""Verbs that `training` has, for who has installed what it needs."""

from collections.abc import Sequence
from importlib import import_module

from numeral.errors import UsageError


def run(verb: str, arguments: Sequence[str]) -> None:
    """Raises UsageError where a package is missing; exits as the verb does."""
    try:
        module = import_module(f"training.{verb}")
    except ModuleNotFoundError as error:
        if not error.name or error.name.split(".")[0] in ("training", "service"):
            raise
        what = f"numeral {verb} needs {error.name}, which is not installed"
        raise UsageError(f"{what}; the extra 'train' brings it: pip install 'numeral[cpu,train]'") from error
    module.main(list(arguments))
