"""Where rows go. A file holds those of all runs of the same command: what one that was ended has left is kept."""

import contextlib
import fcntl
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

from numeral.errors import RunError, UsageError
from numeral.files import File
from numeral.formats import Foreign, Format
from numeral.rows import Row


class Done(NamedTuple):
    """Rows that are there already, and of these the ones with an error."""

    rows: int = 0
    failed: int = 0


class Output:
    """`name` is for messages."""

    def __init__(self, stream: BinaryIO, form: Format, name: str) -> None:
        self._stream = stream
        self._form = form
        self._name = name
        self._rows = 0

    def resume(self, files: Sequence[File], model: dict[str, str]) -> Done:
        """Keeps what was written of this list by this model, up to half a row. Raises UsageError where it is not so."""
        done, end = Done(), 0
        self._stream.seek(0)
        try:
            for row in self._form.kept(self._form, self._stream):
                self._check(done.rows, files, row.file, model, row.model)
                done, end = Done(done.rows + 1, done.failed + row.failed), row.end
        except (Foreign, ValueError, KeyError, TypeError) as error:
            raise self._refused(f"line {done.rows + 1} of it is none of these rows") from error
        self._stream.truncate(end)
        self._stream.seek(end)
        self._rows = done.rows
        return done

    def clear(self) -> None:
        self._stream.truncate(0)

    def write(self, rows: Sequence[Row]) -> None:
        """At once, that a run can be watched. Raises RunError where there is no room, BrokenPipeError."""
        pieces = []
        for row in rows:
            pieces += [self._form.before(self._rows), self._form.row(row)]
            self._rows += 1
        self._put(b"".join(pieces))

    def end(self) -> None:
        self._put(self._form.last)

    def _put(self, content: bytes) -> None:
        try:
            self._stream.write(content)
            self._stream.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise RunError(f"{self._name} cannot be written: {error.strerror}") from error

    def _check(
        self, index: int, files: Sequence[File], name: str, model: dict[str, str], written_by: dict[str, str]
    ) -> None:
        if index >= len(files):
            raise self._refused(f"it has more rows than the {len(files):,} files of this list: {name!r} is one more")
        if name != files[index].name:
            raise self._refused(f"row {index + 1:,} of it is {name!r}, and of this list {files[index].name!r}")
        if written_by != model:
            raise self._refused(f"row {index + 1:,} of it was read by {described(written_by)}, now {described(model)}")

    def _refused(self, why: str) -> UsageError:
        return UsageError(f"{self._name} is not of this command: {why}; --overwrite begins it anew")


def described(model: dict[str, str]) -> str:
    return f"{model['name']} {model['precision']} {model['sha256'][:12]}"


@contextlib.contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """For one run at a time. Raises UsageError where it cannot be had."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise UsageError(f"{path} is a device or a pipe, and no file; without --out the rows go to stdout")
    with open(descriptor, "r+b") as stream:  # noqa: PTH123  # a descriptor
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(f"{path} is being written by another run") from error
        except OSError as error:
            raise UsageError(
                f"{path} cannot be locked: {error.strerror}; without --out the rows go to stdout"
            ) from error
        yield stream
