"""Some hundreds of the requests that `python -m proofs.fuzz.requests` makes, sent to a real server."""

from proofs.fuzz.requests import Whole, originals, request_of, run
from tests.hostile_requests import chunked


def test_requests_changed_at_random_are_no_fault_of_the_server() -> None:
    """How soon each is answered is for an idle machine."""
    result = run(seed=1, numbers=range(600))
    assert [finding for finding in result.findings if not finding[1].startswith("nothing within")] == []
    assert result.sent == result.statuses.total() == 600
    assert result.whole > 500
    assert {"200", "400", "422"} <= set(result.statuses)
    assert result.statuses["200"] > 100


def test_what_is_owed_an_answer_is_known() -> None:
    assert all(Whole(request).complete for request in originals())
    assert Whole(b"no HTTP\r\n\r\n").complete
    assert not Whole(originals()[0][:-2]).complete
    assert not Whole(chunked(b"5\r\nabc")).complete


def test_a_request_is_made_again_by_its_number() -> None:
    made = [request_of(originals(), 1, number) for number in range(50)]
    assert made == [request_of(originals(), 1, number) for number in range(50)]
    assert len(set(made)) > 40
