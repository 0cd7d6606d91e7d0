"""The bytes of a picture file, with a bound, and its name as it is shown."""

import os
import stat

from service.picture.fault import FaultKind, Unreadable

# Bytes of a file. A service takes twelve million by default; here nobody waits behind it.
MOST_BYTES = 64_000_000


def read_file(path: str | os.PathLike[str]) -> bytes:
    """Raises OSError where it cannot be opened, Unreadable where it is none or too large."""
    with open(path, "rb", opener=without_waiting) as file:  # Path.open takes no opener
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise Unreadable(FaultKind.UNSUPPORTED, "it is a device or a pipe, and no file")
        if found.st_size > MOST_BYTES:
            detail = f"the file has {found.st_size:,} bytes; the limit is {MOST_BYTES:,}"
            raise Unreadable(FaultKind.TOO_LARGE, detail)
        return file.read(found.st_size)


def without_waiting(path: str, flags: int) -> int:
    """A pipe that nobody writes to would be waited for as it is opened."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def shown(path: str | os.PathLike[str]) -> str:
    """A name that can be written as UTF-8, whatever bytes it is made of."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def why_not(error: OSError) -> str:
    return f"the file cannot be read: {error.strerror or error}"
