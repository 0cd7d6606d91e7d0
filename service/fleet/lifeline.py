"""Processes that end with the one that started them, however that ends.

A supervisor that was killed would leave workers, which hold its port; and a worker that was, processes for pictures:
one that is stopped, or at work on an endless picture, does not see that nobody waits for it.
"""

import ctypes
import signal
import sys

# Of linux/prctl.h.
PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """Has the kernel kill this process once the thread that started it has ended, which Linux alone does.

    Where that had ended before, nothing happens. Raises OSError.
    """
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl fails: this process cannot be made to end with its parent")
