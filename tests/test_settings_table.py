"""docs/settings.md has the table that the settings make, and the command that writes it."""

import pytest

from service.settings import PREFIX, Settings
from tests.settings_table import HEAD, TARGET, table, with_table


def test_the_document_is_as_the_code_writes_it() -> None:
    page = TARGET.read_text()
    assert page == with_table(page), "python -m tests.settings_table writes it anew"
    assert "`python -m tests.settings_table`" in page


def test_each_setting_has_a_row_with_its_default() -> None:
    rows = table().removeprefix(HEAD).splitlines()
    assert [row.split("`")[1] for row in rows] == [f"{PREFIX}{name.upper()}" for name in Settings.model_fields]
    assert all(row.count(" | ") == 2 for row in rows)
    assert "| `NUMERAL_MODELS_DIR` | `exported` |" in table()
    assert "| `NUMERAL_API_KEY_FILE` | none |" in table()


def test_a_row_that_is_no_longer_true_is_replaced() -> None:
    stale = TARGET.read_text().replace("| 12000000 |", "| 5000000 |")
    assert stale != TARGET.read_text()
    assert with_table(stale) == TARGET.read_text()


def test_a_document_without_the_table_is_refused() -> None:
    with pytest.raises(ValueError, match="has 0 tables"):
        with_table("# Settings\n")
