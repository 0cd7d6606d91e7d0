"""Writes the table of docs/settings.md from the settings themselves: `python -m tests.settings_table`."""

import re
from pathlib import Path

from pydantic.fields import FieldInfo

from service.settings import PREFIX, ROOT, Settings

TARGET = ROOT / "docs/settings.md"

HEAD = "| variable | default | what |\n|---|---|---|\n"


def table() -> str:
    rows = (row(name, field) for name, field in Settings.model_fields.items())
    return HEAD + "".join(rows)


def row(name: str, field: FieldInfo) -> str:
    return f"| `{PREFIX}{name.upper()}` | {shown(field.default)} | {field.description} |\n"


def shown(default: object) -> str:
    """As one would set it; a path from the repository's root."""
    match default:
        case None | ():
            return "none"
        case Path():
            return f"`{default.relative_to(ROOT)}`"
        case str():
            return f"`{default}`"
        case _:
            return f"{default}"


def with_table(page: str) -> str:
    """The page with the table of now in the place of the one it has."""
    written, count = re.subn(rf"^{re.escape(HEAD)}(\|.*\n)*", lambda _: table(), page, flags=re.MULTILINE)
    if count != 1:
        raise ValueError(f"{TARGET} has {count} tables of settings; it is to have one, which begins with {HEAD!r}")
    return written


if __name__ == "__main__":
    TARGET.write_text(with_table(TARGET.read_text()))
