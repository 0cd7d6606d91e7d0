"""Changes to files: of bytes wherever they stand, and of the parts that a format is made of."""

import random
import struct
import zlib
from collections.abc import Callable

from proofs.fuzz.corpus import Corpus
from proofs.fuzz.parts import CONTAINERS, PARTED, Part, box_join, box_parts

# Limits of integers, and sizes near those that the service allows.
NUMBERS = (0, 1, 2, 3, 7, 8, 16, 28, 32, 127, 128, 255, 256, 4000, 4001, 16_384, 32_767, 32_768, 65_535, 65_536)
LARGE = (16_000_000, 16_000_001, 2**24, 2**31 - 1, 2**31, 2**32 - 8, 2**32 - 1)

# A small file grows to no more, however often a piece is repeated.
MOST_BYTES = 200_000

Chance = random.Random


def mutant(corpus: Corpus, chance: Chance) -> bytes:
    """A file with up to eight changes; one in twenty is the file itself."""
    kind, files = corpus.choose(chance)
    content = chance.choice(files)
    most = max(MOST_BYTES, len(content))
    if chance.random() < 0.05:
        return content
    if chance.random() < 0.5:
        content = change_parts(kind, content, files, chance)
    for _ in range(chance.choice((0, 1, 1, 2, 3, 5))):
        content = chance.choice(CHANGES)(content, chance)
    return content[:most]


def place_in(content: bytes, chance: Chance) -> int:
    """As often in the first 200 bytes, where what is said of the picture stands, as anywhere."""
    return chance.randrange(1 + (min(200, len(content)) if chance.random() < 0.5 else len(content)))


def flip(content: bytes, chance: Chance) -> bytes:
    place = place_in(content, chance)
    return (
        content[:place]
        + bytes(byte ^ 1 << chance.randrange(8) for byte in content[place : place + 1])
        + content[place + 1 :]
    )


def put_bytes(content: bytes, chance: Chance) -> bytes:
    place, size = place_in(content, chance), chance.choice((1, 1, 2, 4, 16))
    return content[:place] + chance.randbytes(size) + content[place + size :]


def put_number(content: bytes, chance: Chance) -> bytes:
    place = place_in(content, chance)
    number = number_of(chance)
    return content[:place] + number + content[place + len(number) :]


def number_of(chance: Chance) -> bytes:
    kind = chance.choice(("B", "<H", ">H", "<I", ">I", ">I", "<Q"))
    return struct.pack(kind, chance.choice(NUMBERS + LARGE) % 256 ** struct.calcsize(kind))


def repeat(content: bytes, chance: Chance) -> bytes:
    place, size = place_in(content, chance), chance.choice((1, 4, 12, 60, 600))
    return content[:place] + content[place : place + size] * chance.choice((2, 2, 3, 20)) + content[place + size :]


def cut(content: bytes, chance: Chance) -> bytes:
    place = place_in(content, chance)
    return content[:place] + content[place + chance.choice((1, 2, 4, 12, 100)) :]


def end(content: bytes, chance: Chance) -> bytes:
    return content[: chance.randrange(1 + len(content))]


def move(content: bytes, chance: Chance) -> bytes:
    """A piece of it over another place."""
    start, place, size = place_in(content, chance), place_in(content, chance), chance.choice((4, 12, 40))
    return content[:place] + content[start : start + size] + content[place + size :]


CHANGES: tuple[Callable[[bytes, Chance], bytes], ...] = (
    flip, flip, put_bytes, put_number, put_number, repeat, cut, end, move,
)  # fmt: skip


def change_parts(kind: str, content: bytes, files: list[bytes], chance: Chance) -> bytes:
    if kind in ("GIF", "BMP"):
        return splice(content, chance.choice(files), chance)
    if kind == "TIFF":
        return change_tag(content, chance)
    form = PARTED[kind]
    parts = form.part(content[form.head :])
    others = form.part(chance.choice(files)[form.head :])
    for _ in range(chance.randrange(1, 4)):
        parts = change_one(parts, others, chance)
    return content[: form.head] + form.join(parts)


def splice(content: bytes, other: bytes, chance: Chance) -> bytes:
    """The start of one and the end of another of the same format."""
    return content[: place_in(content, chance)] + other[place_in(other, chance) :]


def change_one(parts: list[Part], others: list[Part], chance: Chance) -> list[Part]:
    if not parts:
        return parts
    place = chance.randrange(len(parts))
    before, part, behind = parts[:place], parts[place], parts[place + 1 :]
    match chance.randrange(8):
        case 0:
            return before + behind
        case 1:
            # Bounded, so that making the file is not what takes memory.
            times = min(chance.choice((2, 3, 200)), 2 + MOST_BYTES // max(1, len(part.data)))
            return before + [part] * times + behind
        case 2:
            return [*before, part, chance.choice(others or parts), *behind]
        case 3:
            return chance.sample(parts, len(parts))
        case 4:
            return [*before, part._replace(kind=chance.choice(others or parts).kind), *behind]
        case _:
            return [*before, part._replace(data=change_data(part, chance)), *behind]


def change_data(part: Part, chance: Chance) -> bytes:
    """Of boxes those within, of packed pixels what they unpack to; else as any bytes."""
    if part.kind in CONTAINERS and chance.random() < 0.9:
        start = CONTAINERS[part.kind]
        inner = box_parts(part.data[start:])
        return part.data[:start] + box_join(change_one(inner, inner, chance))
    if part.kind == b"IDAT" and chance.random() < 0.7:
        return repacked(part.data, chance)
    return chance.choice(CHANGES)(part.data, chance)


def repacked(data: bytes, chance: Chance) -> bytes:
    """Of many pixels the first ones alone: this must not be what takes time and memory."""
    try:
        rows = zlib.decompressobj().decompress(data, MOST_BYTES)
    except zlib.error:
        return data
    return zlib.compress(chance.choice(CHANGES)(rows, chance), 1)


def change_tag(content: bytes, chance: Chance) -> bytes:
    """Of an entry of a TIFF's first directory: its tag, type, count or value."""
    order = "<" if content.startswith(b"II") else ">"
    if len(content) < 16 or content[2:4] not in (b"*\0", b"\0*"):
        return chance.choice(CHANGES)(content, chance)
    (start,) = struct.unpack_from(order + "I", content, 4)
    (count,) = struct.unpack_from(order + "H", content.ljust(start + 2, b"\0"), start)
    entry = start + 2 + 12 * chance.randrange(max(1, count))
    place, kind = chance.choice(((0, "H"), (2, "H"), (4, "I"), (8, "I"), (8, "H")))
    size = struct.calcsize(kind)
    number = chance.choice(TAGS if place == 0 else NUMBERS + LARGE) % 256**size
    return content[: entry + place] + struct.pack(order + kind, number) + content[entry + place + size :]


# Those of TIFF 6.0, and numbers between them that mean nothing.
TAGS = range(254, 348)
