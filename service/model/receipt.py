"""By what an answer came about: whoever has the file and these can have it again. `service.replay` does."""

from service.model.engine import Engine
from service.picture import version

Conditions = dict[str, str | float]


def conditions(engine: Engine) -> Conditions:
    """Of all answers of `engine`; with the sha256 of the file it is the receipt of one."""
    artefact = engine.artefact
    return {
        "model": artefact.sha256,
        "precision": artefact.precision,
        "provider": engine.provider,
        "threshold": artefact.reject_threshold,
        "code": version.code(),
        "libraries": version.libraries(),
    }


def receipt(sha256: str, of_all: Conditions) -> Conditions:
    """`sha256` of the file as it was sent."""
    return {"file": sha256, **of_all}
