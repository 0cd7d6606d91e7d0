"""GIF: a screen, then extensions and images, each with its data in blocks of up to 255 bytes (GIF89a)."""

import re
from collections.abc import Iterator

from service.picture.structure.limits import Limits, damaged
from service.picture.structure.stripped import Stripped

SIGNATURES = (b"GIF87a", b"GIF89a")
SCREEN_BYTES, IMAGE_BYTES = 13, 10
EXTENSION, IMAGE, END = b"!", b",", b";"
BLOCK = re.compile(b"[" + EXTENSION + IMAGE + END + b"]")
# An extension's label, its block's length and that block: transparency is in the only one that is of use.
CONTROL = b"!\xf9\x04"
CONTROL_BYTES = 8

# Encoders fill their blocks up to 255 bytes, but for the last of each image.
BYTES_A_BLOCK = 128


def strip(content: bytes, limits: Limits) -> Stripped:
    """The screen and its colours, the first image and what says which of its colours is transparent."""
    if len(content) < SCREEN_BYTES:
        raise damaged("GIF", "its header is cut off")
    budget = limits.budget("blocks of data", len(content) // BYTES_A_BLOCK)
    width, height = numbers(content, 6)
    limits.check_size(width, height)
    head = SCREEN_BYTES + table_bytes(content[10])
    control, start = find_image(content, head, budget)
    if start is None:
        raise damaged("GIF", "it has no image")
    left, top, image_width, image_height = numbers(content, start + 1, 4)
    width, height = max(width, left + image_width), max(height, top + image_height)
    limits.check_size(width, height)
    end = end_of_image(content, start, budget)
    _, second = find_image(content, end, budget)
    whole = content[:head] + control + content[start:end] + END * (end <= len(content))
    return Stripped("GIF", whole, width, height, several=second is not None)


def numbers(content: bytes, position: int, count: int = 2) -> tuple[int, ...]:
    return tuple(int.from_bytes(content[at : at + 2], "little") for at in range(position, position + 2 * count, 2))


def table_bytes(flags: int) -> int:
    """Of the table of colours that follows a screen or an image with these flags."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def find_image(content: bytes, position: int, budget: Iterator[int]) -> tuple[bytes, int | None]:
    """The last graphic control extension before the next image, and where that begins; None where there is no more."""
    control = b""
    for _ in budget:
        found = BLOCK.search(content, position)
        if not found:
            break
        kind, position = found.group(), found.start()
        if kind == IMAGE and position + IMAGE_BYTES < len(content):
            return control, position
        if kind != EXTENSION:
            break
        if content.startswith(CONTROL, position):
            control = content[position : position + CONTROL_BYTES - 1] + b"\0"
        position = end_of_data(content, position + 2, budget)
    return b"", None


def end_of_image(content: bytes, start: int, budget: Iterator[int]) -> int:
    """Behind its colours and one byte, the size of its codes, there are its data."""
    return end_of_data(content, start + IMAGE_BYTES + table_bytes(content[start + IMAGE_BYTES - 1]) + 1, budget)


def end_of_data(content: bytes, position: int, budget: Iterator[int]) -> int:
    """Beyond the end of `content` where that comes before the end of the data."""
    for _ in budget:
        if position >= len(content):
            return len(content) + 1
        length = content[position]
        position += 1 + length
        if not length:
            break
    return position
