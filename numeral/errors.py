"""What ends a command in one line. Each has an exit code of its own, which the help of `numeral read` explains."""


class UsageError(Exception):
    """What was asked for makes no sense: nothing was read."""


class RunError(Exception):
    """A run that ended before its last file; the same command goes on with it."""
