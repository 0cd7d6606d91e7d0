"""Where the milliseconds of an image went, and of a request with several."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple


class Latency(NamedTuple):
    """Milliseconds. `queue` is all waiting: for a process that decodes, and for a batch of the network.

    `total` is of the whole request, and holds what lies between the stages too.
    """

    read: float
    decode: float
    normalise: float
    queue: float
    inference: float
    total: float

    def as_json(self) -> dict[str, float]:
        """To the microsecond."""
        # By whole microseconds: `round` to three places goes through a decimal text, and takes three times as long.
        return dict(zip(STAGES, [int(1000 * milliseconds + 0.5) / 1000 for milliseconds in self], strict=True))


STAGES = Latency._fields


class Times(NamedTuple):
    """The moments of an image, seconds of `time.perf_counter`; the last three are one where no network saw it."""

    # Of its request: its first byte was waited for, its last had come.
    began: float
    arrived: float
    # The file was handed over to be decoded, and decoding began.
    handed: float
    taken: float
    decoded: float
    normalised: float
    # Its batch ran.
    queued: float
    ran: float
    inferred: float
    # Of its request.
    answered: float

    def latency(self) -> Latency:
        return Latency(
            read=1000 * (self.arrived - self.began),
            decode=1000 * (self.decoded - self.taken),
            normalise=1000 * (self.normalised - self.decoded),
            queue=1000 * (self.taken - self.handed + self.ran - self.queued),
            inference=1000 * (self.inferred - self.ran),
            total=1000 * (self.answered - self.began),
        )


def of_request(images: Sequence[Times]) -> Latency:
    """Of all images of one request: what went on side by side counts once, so no stage is longer than the total."""
    first = images[0]
    return Latency(
        read=1000 * (first.arrived - first.began),
        decode=covered((image.taken, image.decoded) for image in images),
        normalise=covered((image.decoded, image.normalised) for image in images),
        queue=covered(wait for image in images for wait in ((image.handed, image.taken), (image.queued, image.ran))),
        inference=covered((image.ran, image.inferred) for image in images),
        total=1000 * (first.answered - first.began),
    )


def server_timing(latency: Mapping[str, float]) -> str:
    """The value of a Server-Timing header (W3C). latency: milliseconds by stage."""
    return ", ".join([f"{stage};dur={milliseconds}" for stage, milliseconds in latency.items()])


def covered(spans: Iterable[tuple[float, float]]) -> float:
    """Milliseconds in which at least one of `spans`, each from one moment to another, went on."""
    seconds, reached = 0.0, 0.0
    for begin, end in sorted(spans):
        if end > reached:
            seconds += end - max(begin, reached)
            reached = end
    return 1000 * seconds
