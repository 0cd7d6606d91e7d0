"""Reads handwritten digits, as a library and on the command line.

`read("digit.png").digit` is the short way; a `Reader` keeps its model for many. Names are imported at their first use:
`numeral --help` loads no network.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numeral.reader import Reader, read
    from numeral.reading import Model, Reading
    from service.errors import StartError
    from service.picture.fault import FaultKind, Unreadable

__all__ = ["FaultKind", "Model", "Reader", "Reading", "StartError", "Unreadable", "read"]

HOMES = {
    "Reader": "numeral.reader",
    "read": "numeral.reader",
    "Model": "numeral.reading",
    "Reading": "numeral.reading",
    "StartError": "service.errors",
    "FaultKind": "service.picture.fault",
    "Unreadable": "service.picture.fault",
}


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name not in HOMES:
        raise AttributeError(f"module 'numeral' has no attribute {name!r}")
    return getattr(import_module(HOMES[name]), name)
