"""`numeral replay` is service.replay, on the command line that people have."""

from pathlib import Path

import httpx

from tests.harness import Digits, png
from tests.numeral.harness import numeral


def test_an_answer_is_checked_by_its_receipt(client: httpx.Client, digits: Digits, tmp_path: Path) -> None:
    (tmp_path / "digit.png").write_bytes(png(digits.pick(4)))
    (tmp_path / "other.png").write_bytes(png(digits.pick(5)))
    (tmp_path / "answer.json").write_bytes(client.post("/classify", content=png(digits.pick(4))).content)
    same = numeral("replay", "answer.json", "digit.png", cwd=tmp_path)
    assert (same.returncode, same.stdout[:6]) == (0, b"equal:")
    other = numeral("replay", "answer.json", "other.png", cwd=tmp_path)
    assert (other.returncode, other.stdout[:10]) == (1, b"different:")
    missing = numeral("replay", "answer.json", "nowhere.png", cwd=tmp_path)
    assert (missing.returncode, missing.stdout) == (2, b"")
    assert b"nowhere.png cannot be read" in missing.stderr
