"""The folder of one server that its processes share: their numbers, the models they serve, the supervisor's sockets.

Its supervisor holds a lock on it for as long as it lives. One that was killed leaves the folder behind, and the next
server of the same user takes it away: nobody holds it any more.
"""

import atexit
import fcntl
import os
import shutil
import stat
import tempfile
from pathlib import Path

# The variable by which workers learn of the folder that their supervisor made: they inherit its environment.
VARIABLE = "_NUMERAL_SHARED_FOLDER"

# Better than /tmp where there is such a place: a disk would be written to, and swept of what looks old.
MEMORY = "/dev/shm"  # noqa: S108  # mkdtemp makes a folder of our own in it

PREFIX = "numeral-"
LOCK = "lock"


def make() -> Path:
    """Called once, in the supervisor, as whose user alone it can be entered. It goes when the supervisor ends."""
    where = MEMORY if os.access(MEMORY, os.W_OK) else tempfile.gettempdir()
    sweep(Path(where))
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=where))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    hold(folder)
    # So that what BentoML leaves in a temporary folder goes with ours.
    tempfile.tempdir = str(folder)
    os.environ[VARIABLE] = str(folder)
    return folder


def find() -> Path | None:
    """None in a process that no supervisor started, which then serves by itself."""
    folder = os.environ.get(VARIABLE)
    return Path(folder) if folder else None


def hold(folder: Path) -> None:
    """Until this process ends: the descriptor is never closed, and none that is started inherits it."""
    half = folder / f".{LOCK}"
    lock = os.open(half, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    # By its name it is seen only once it is locked.
    half.rename(folder / LOCK)


def is_held(folder: Path) -> bool:
    """Whether its supervisor lives. Raises OSError where there is no lock."""
    lock = os.open(folder / LOCK, os.O_RDONLY)
    try:
        # Shared, so that two that look at a time do not take each other for the supervisor.
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def sweep(where: Path) -> None:
    """Takes away what servers of this user that were killed have left there."""
    for folder in where.glob(f"{PREFIX}*"):
        try:
            abandoned = is_ours(folder) and not is_held(folder)
        except OSError:  # it has just gone, or has never been locked
            continue
        if abandoned:
            shutil.rmtree(folder, ignore_errors=True)


def is_ours(folder: Path) -> bool:
    """Whoever can write there may have put a link by such a name."""
    found = folder.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
