"""How large a file's structure may be, and what a scan says of one that is larger or broken."""

from collections.abc import Iterator
from typing import NamedTuple

from service.picture.fault import FaultKind, Unreadable

# Chunks, segments, strips or directory entries of one file. Encoders make some thousands of the small kinds at 5 MB,
# and a walk over so many takes some milliseconds.
MOST_PARTS = 10_000

# The longest side that JPEG and GIF can have. Decoders keep a few rows at a time, which may be of any length elsewhere.
MOST_SIDE = 65_535


class Limits(NamedTuple):
    """`pixels`: width times height. `parts`: chunks, segments, strips, entries: whatever the format consists of.
    `least_side`: pixels a side that are wanted; what can be decoded at a reduced size is, to no less."""

    pixels: int
    parts: int = MOST_PARTS
    least_side: int = MOST_SIDE

    def check_size(self, width: int, height: int, what: str = "the image", times: int = 1) -> None:
        """`times`: how many times the pixels that are allowed it may have. Raises Unreadable."""
        if width * height > times * self.pixels:
            size = f"{width}×{height} = {width * height:,} pixels"
            setting = "NUMERAL_MAX_PIXELS" if times == 1 else f"{times} times NUMERAL_MAX_PIXELS"
            detail = f"{what} has {size}; the limit is {times * self.pixels:,} ({setting})"
            raise Unreadable(FaultKind.TOO_LARGE, detail)
        if max(width, height) > MOST_SIDE:
            raise Unreadable(
                FaultKind.TOO_LARGE, f"{what} has {width}×{height} pixels; the limit of a side is {MOST_SIDE:,}"
            )

    def budget(self, what: str, more: int = 0) -> Iterator[int]:
        """A number for each part, to be shared by all loops over parts; raises Unreadable once there are too many.

        `what` names the parts; `more` are allowed beyond `parts`.
        """
        limit = self.parts + more
        yield from range(limit)
        raise Unreadable(FaultKind.TOO_LARGE, f"the file has more than {limit:,} {what}, which is the limit")


def damaged(kind: str, reason: object) -> Unreadable:
    """The format is known, the content broken, or of a variant that is not read."""
    return Unreadable(FaultKind.DAMAGED, f"the file starts as {kind} but cannot be decoded: {reason}")
