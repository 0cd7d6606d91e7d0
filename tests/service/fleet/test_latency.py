"""The stages of an image are what its moments say, and those of a request count once what went on side by side."""

import pytest

from service.fleet.latency import STAGES, Latency, Times, covered, of_request, server_timing


def times(begin: float, decoded: float) -> Times:
    """Of a request from 0 to 100 s: the image is handed over at `begin`, and done with decoding at `decoded`."""
    return Times(
        began=0,
        arrived=1,
        handed=begin,
        taken=begin + 2,
        decoded=decoded,
        normalised=decoded + 3,
        queued=decoded + 3,
        ran=50,
        inferred=54,
        answered=100,
    )


def test_an_images_stages_are_the_time_between_its_moments() -> None:
    latency = times(begin=1, decoded=10).latency()
    assert latency == Latency(
        read=1000, decode=7000, normalise=3000, queue=2000 + 37_000, inference=4000, total=100_000
    )


def test_waiting_for_a_process_that_decodes_is_waiting() -> None:
    waited, at_once = times(begin=1, decoded=10), times(begin=1, decoded=10)._replace(handed=3)
    assert waited.latency().queue - at_once.latency().queue == 2000


def test_what_goes_on_side_by_side_counts_once() -> None:
    """Two that are decoded at the same time take no longer than one, and two in turn as long as both."""
    first, beside, after = times(1, 10), times(1, 10), times(8, 20)
    assert of_request([first, beside]).decode == of_request([first]).decode == 7000
    assert of_request([first, after]).decode == 7000 + 10_000
    assert of_request([first, after]).inference == 4000


def test_no_stage_of_a_request_is_longer_than_the_request() -> None:
    many = [times(begin=1 + i / 10, decoded=10 + i / 5) for i in range(64)]
    latency = of_request(many)
    assert all(milliseconds <= latency.total for milliseconds in latency)
    assert sum(one.latency().decode for one in many) > latency.total


@pytest.mark.parametrize(
    ("spans", "milliseconds"),
    [
        ([], 0),
        ([(2, 3)], 1000),
        ([(2, 3), (5, 6)], 2000),
        ([(5, 6), (2, 3), (2, 6)], 4000),
        ([(2, 4), (3, 5)], 3000),
        ([(2, 2)], 0),
    ],
)
def test_covered_time(spans: list[tuple[float, float]], milliseconds: float) -> None:
    assert covered(spans) == milliseconds


def test_server_timing_names_every_stage_in_milliseconds() -> None:
    latency = Latency(read=1, decode=2, normalise=3, queue=0.5, inference=4.12345, total=11)
    assert server_timing(latency.as_json()) == (
        "read;dur=1.0, decode;dur=2.0, normalise;dur=3.0, queue;dur=0.5, inference;dur=4.123, total;dur=11.0"
    )
    assert list(latency.as_json()) == list(STAGES)
