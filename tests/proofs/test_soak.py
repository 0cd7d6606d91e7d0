"""A few seconds of `make soak`, and what it takes for a failure."""

import asyncio
from dataclasses import replace

from proofs.client import Answer
from proofs.counts import Counts
from proofs.expected import CUT, constant, learn
from proofs.mixture import hostile, mixture
from proofs.soak import Arguments, Soak, Tally, failures, fate

SOME = ("PNG of profiles that grow", "GIF of comments", "headers without end", "JSON of base64 that is none")
ARGUMENTS = Arguments(minutes=0.1)


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
    tally = Tally(Counts(accepted=9, answered=9))
    assert failures(tally, {"worker 1": (100, 104)}, 10, 11, ARGUMENTS) == []
    tally.counts.wrong, tally.counts.lost, tally.hostile["5xx"] = 1, 2, 3
    assert failures(tally, {"worker 1": (100, 106)}, 10, 13, replace(ARGUMENTS, minutes=1)) == [
        "2 lost",
        "1 wrong",
        "hostile: 3 5xx",
        "memory of worker 1: 100 and 106 MiB",
        "p99 of 10 and 13 ms",
    ]
