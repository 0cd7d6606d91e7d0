"""Reads numbers of bits, as the headers of video codecs have them, and of bytes."""

from service.picture.fault import Unreadable
from service.picture.structure.limits import damaged


class Bits:
    """The highest bit first. Past the end there are zeros: what is read there is judged by what it says."""

    def __init__(self, content: bytes) -> None:
        self._number = int.from_bytes(content, "big")
        self._left = 8 * len(content)

    def take(self, count: int) -> int:
        self._left -= count
        shifted = self._number >> self._left if self._left >= 0 else self._number << -self._left
        return shifted & (1 << count) - 1 if self._left > -64 else 0

    def exponential(self) -> int:
        """Exponential Golomb code, ue(v) in HEVC and uvlc() in AV1: up to 32 bits."""
        zeros = 0
        while zeros < 32 and not self.take(1):
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros)


class Bytes:
    """Big-endian numbers. Raises Unreadable past the end."""

    def __init__(self, content: bytes, kind: str) -> None:
        self._content = content
        self._kind = kind
        self.position = 0

    def take(self, size: int) -> int:
        return int.from_bytes(self.piece(size), "big")

    def piece(self, size: int) -> bytes:
        piece = self._content[self.position : self.position + size]
        if len(piece) < size:
            raise self.cut_off()
        self.position += size
        return piece

    def cut_off(self) -> Unreadable:
        return damaged(self._kind, "one of its boxes is cut off")
