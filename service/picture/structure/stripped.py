"""What a scan hands on."""

from typing import NamedTuple


class Stripped(NamedTuple):
    """A file of `format` with its first picture and nothing else.

    `orientation` is EXIF's, 1 to 8. `several`: the file that it was made from has more frames.
    """

    format: str
    content: bytes
    width: int
    height: int
    orientation: int = 1
    several: bool = False
