"""What stops the service from starting. Said in one line, by an exit code that is not 0."""


class StartError(Exception):
    """A setting, an artefact or an execution provider that cannot be used."""
