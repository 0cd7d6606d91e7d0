"""A few seconds of `make soak`, and what it takes for a failure."""

import asyncio
from array import array
from collections import Counter
from dataclasses import replace

from proofs.client import Answer
from proofs.counts import Counts
from proofs.expected import CUT, constant, learn
from proofs.mixture import hostile, mixture
from proofs.soak import Arguments, Part, Soak, Tally, failures, fate, figures

SOME = ("PNG of profiles that grow", "GIF of comments", "headers without end", "JSON of base64 that is none")
ARGUMENTS = Arguments(minutes=0.1)


def test_it_is_measured_anew_every_five_minutes() -> None:
    assert (Arguments().parts, Arguments().part_seconds) == (6, 300)
    assert (ARGUMENTS.parts, ARGUMENTS.part_seconds) == (3, 2)


def test_what_any_part_had_counts() -> None:
    good = Part(1000, Tally(Counts(3, 3), took=array("d", [1])), Tally(Counts(5, 5), took=array("d", [0.01])))
    bad = Part(500, Tally(Counts(2, 1, lost=1)), Tally(Counts(4, 4), Counter({"5xx": 1}), array("d", [0.02])))
    row = figures([good, bad, good], {"supervisor": 50}, {"supervisor": 51}, ARGUMENTS)
    assert (row["answers"], row["p99_ms"], row["capacity_per_second"]) == (22, [10, 20, 10], [1000, 500, 1000])
    assert row["failed"] == ["1 lost", "hostile: 1 5xx"]


async def asked(url: str, seconds: float) -> tuple[Tally, int]:
    requests, harm = mixture(), hostile(SOME)
    expected = await learn(url, [*requests.all(), *harm.values()])
    soak = Soak(url, requests, harm, expected, share=0.05, seed=1)
    await soak.at(rate=60, seconds=seconds)
    return soak.tally, len({answer.status for answer in expected.values()})


def test_beside_hostile_uploads_every_answer_is_as_alone(server: str) -> None:
    tally, statuses = asyncio.run(asked(server, seconds=5))
    assert statuses > 3
    assert (tally.counts.wrong, tally.counts.lost) == (0, 0)
    assert tally.counts.answered == tally.counts.accepted == len(tally.took) > 150
    assert 0 < tally.hostile.total() == tally.hostile["as alone"] + tally.hostile["cut off"] + tally.hostile["429"]


def test_what_may_differ_between_answers_is_not_compared() -> None:
    def body(digit: int, batch: int) -> bytes:
        return b'{"digit":%d,"batch_size":%d,"latency_ms":{"read":0.%d},"note":null}' % (digit, batch, batch)

    assert constant(Answer(200, body(3, 1))) == constant(Answer(200, body(3, 2)))
    assert constant(Answer(200, body(3, 1))) != constant(Answer(200, body(4, 1)))


def test_a_hostile_request_may_be_refused_in_other_ways_but_not_read_in_others() -> None:
    refused, read = Answer(422, b"damaged"), Answer(200, b"3")
    assert [fate(answer, refused) for answer in (refused, CUT, Answer(429, b""), Answer(504, b""), read)] == [
        "as alone",
        "cut off",
        "429",
        "5xx",
        "wrong",
    ]


def test_what_did_not_hold_is_said() -> None:
    counts, harm = Counts(accepted=9, answered=9), Counter({"as alone": 4, "429": 1})
    assert failures(counts, harm, {"worker 1": (100, 104)}, (10, 11), ARGUMENTS) == []
    counts, harm = replace(counts, wrong=1, lost=2), Counter({"5xx": 3})
    assert failures(counts, harm, {"worker 1": (100, 106)}, (10, 13), ARGUMENTS) == [
        "2 lost",
        "1 wrong",
        "hostile: 3 5xx",
        "memory of worker 1: 100 and 106 MiB",
        "p99 of 10 and 13 ms",
    ]
