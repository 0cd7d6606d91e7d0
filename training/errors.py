"""What a user can put right. The command lines print these in one line and exit with 1; all else is a bug."""


class TrainingError(Exception):
    """A run that cannot start or go on, with the offending value and what is allowed."""


class Lost(TrainingError):
    """Another process of the run has ended, or torchrun ends all."""


class Diverged(TrainingError):
    """The loss is no longer a number."""
