"""`numeral models`: what there is to read with."""

from collections.abc import Sequence
from pathlib import Path

import orjson

from numeral.errors import UsageError
from service import settings
from service.errors import StartError
from service.model.artefact import MODEL_FILES, Artefact, find_folders, load, read_metadata

HEADINGS = ("model", "network", "precision", "accuracy", "of", "threshold", "sha256")


def found(models_dir: Path | None) -> list[Artefact]:
    """One for each file that could be served. Raises UsageError where one is not what its metadata say."""
    try:
        folders = find_folders(models_dir or settings.load().models_dir)
        return [
            load(folder, precision)
            for folder in folders.values()
            for precision, file in MODEL_FILES.items()
            if file in read_metadata(folder).files and (folder / file).is_file()
        ]
    except StartError as error:
        raise UsageError(str(error)) from error


def as_text(artefacts: Sequence[Artefact]) -> str:
    rows = [
        (
            one.name,
            one.network,
            one.precision,
            f"{one.test_accuracy:.2%}",
            f"{one.test_images:,}",
            f"{one.reject_threshold:.6f}",
            one.sha256[:12],
        )
        for one in artefacts
    ]
    widths = [max(map(len, column)) for column in zip(HEADINGS, *rows, strict=True)]
    lines = [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) for row in (HEADINGS, *rows)
    ]
    return "\n".join(line.rstrip() for line in lines)


def as_json(artefacts: Sequence[Artefact]) -> str:
    described = [
        {
            "name": one.name,
            "network": one.network,
            "precision": one.precision,
            "labels": one.labels,
            "test_accuracy": one.test_accuracy,
            "test_images": one.test_images,
            "reject_threshold": one.reject_threshold,
            "sha256": one.sha256,
            "path": str(one.path),
        }
        for one in artefacts
    ]
    return orjson.dumps(described, option=orjson.OPT_INDENT_2).decode()
