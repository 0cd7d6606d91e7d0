"""What became of a reload goes from process to process, and is counted by one word."""

from pathlib import Path

import pytest

from service.fleet import outcome
from service.fleet.outcome import ALL, RESULTS, Outcome


@pytest.mark.parametrize(
    ("came_to", "result"),
    [
        (Outcome({"googlenet": "5ae1"}, {}), "reloaded"),
        (Outcome({}, {}), "unchanged"),
        (Outcome({"googlenet": "5ae1"}, {"alexnet": "no ONNX"}), "refused"),
        (Outcome({}, {"googlenet": "no memory"}, rolled_back=True), "rolled_back"),
    ],
)
def test_it_comes_back_as_it_was_and_has_one_result(came_to: Outcome, result: str) -> None:
    assert Outcome.parse(came_to.text()) == came_to
    assert came_to.result == result


def test_why_a_model_was_not_taken_may_be_of_all() -> None:
    came_to = Outcome({}, {"alexnet": "no ONNX"})
    assert (came_to.why_not("alexnet"), came_to.why_not("googlenet")) == ("no ONNX", None)
    assert Outcome({}, {ALL: "no process"}).why_not("googlenet") == "no process"


@pytest.mark.parametrize("text", [b"", b"{", b"[]\n", b"null"])
def test_what_ended_before_it_was_said_is_none(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"Expecting|is no outcome"):
        Outcome.parse(text)


def test_results_are_counted_from_nought(tmp_path: Path) -> None:
    assert outcome.counts(tmp_path) == outcome.counts(None) == dict.fromkeys(RESULTS, 0)
    for result in ("reloaded", "refused", "reloaded"):
        outcome.count(tmp_path, result)
    assert outcome.counts(tmp_path) == {"reloaded": 2, "unchanged": 0, "refused": 1, "rolled_back": 0}
