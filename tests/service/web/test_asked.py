"""What is asked for in two places is asked for once, if both say the same."""

import pytest

from service.web.asked import joined
from service.web.json_body import options_in
from service.web.problem import Problem


@pytest.mark.parametrize("address", ["1", "true", "True"])
@pytest.mark.parametrize("body", [1, True, "1", "TRUE"])
def test_explain_may_be_said_in_two_ways(address: str, body: object) -> None:
    assert joined({"explain": address}, options_in({"explain": body})).keys() == {"explain"}


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        ({"explain": "1"}, {"explain": False}, "explain is asked for as '1' and as 'false'; ask for one"),
        ({"model": "alexnet"}, {"model": "googlenet"}, "model is asked for as 'alexnet' and as 'googlenet'"),
        ({"model": "1"}, {"model": "true"}, "model is asked for as '1' and as 'true'"),
    ],
)
def test_two_that_differ_are_told(one: dict[str, str], other: dict[str, object], said: str) -> None:
    with pytest.raises(Problem, match=said):
        joined(one, options_in(other))
