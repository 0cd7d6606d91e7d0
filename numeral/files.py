"""The files that a command line names: one by one, by folder, by pattern, in a list."""

import glob
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from numeral.errors import UsageError
from numeral.source import shown

# In a folder, files of other names are no pictures, or none of a kind that is read. One that is named is tried.
SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".dib", ".gif", ".tif", ".tiff", ".heic", ".heif", ".avif"}
)


class File(NamedTuple):
    """`name` is as the user gave it, `path` absolute."""

    name: str
    path: str


def find(arguments: Iterable[str]) -> list[File]:
    """In the order of the arguments; those of a folder or a pattern by name. Raises UsageError where there are none."""
    return [as_file(path) for argument in arguments for path in paths_of(argument)]


def as_file(path: str) -> File:
    return File(shown(path), os.path.abspath(path))  # noqa: PTH100  # pathlib has none that leaves links alone


def paths_of(argument: str) -> list[str]:
    path = Path(argument)
    if path.is_dir():
        found = sorted(pictures_in(argument))
        if not found:
            raise UsageError(f"{argument} holds no pictures: no file in it ends in {', '.join(sorted(SUFFIXES))}")
        return found
    if glob.has_magic(argument) and not os.path.lexists(argument):
        matched = sorted(matches(argument))
        if not matched:
            raise UsageError(f"{argument!r} matches no file")
        return matched
    # One that is not there is a row with an error, as one that cannot be opened.
    return [argument]


def matches(pattern: str) -> Iterator[str]:
    """As a shell finds them: nothing that is hidden, and ** follows no link, which may lead in circles."""
    parts = Path(pattern).parts
    anchor = Path(pattern).anchor
    for path in Path(anchor or ".").glob(str(Path(pattern).relative_to(anchor))):
        hidden = any(part.startswith(".") and part not in parts for part in path.parts)
        if path.is_file() and not hidden:
            yield str(path)


def pictures_in(folder: str) -> Iterator[str]:
    """In folders of it too; not what is hidden, and not behind links to folders, which may lead in circles."""
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in SUFFIXES:  # noqa: PTH122  # for each file
                yield os.path.join(place, name)  # noqa: PTH118


def in_list(content: bytes) -> list[str]:
    """The paths of a list, one a line, or with a zero byte behind each (`find -print0`)."""
    separator = b"\0" if b"\0" in content else b"\n"
    lines = (line if separator == b"\0" else line.removesuffix(b"\r") for line in content.split(separator))
    return [os.fsdecode(line) for line in lines if line]
