"""HEVC as still pictures have it (ITU-T H.265; ISO/IEC 14496-15, 8.3.3): units with their length before them."""

import re
from collections.abc import Iterator

from service.picture.structure.bits import Bits, Bytes
from service.picture.structure.limits import damaged

KIND = "HEIF"
# Bytes of the configuration box before its parameter sets, and the most that these have; phones' have a hundred.
CONFIGURATION_BYTES, MOST_CONFIGURATION = 22, 4096
SEQUENCE_PARAMETERS = 33
# Pictures are 0 to 31; video, sequence and picture parameters follow. What others say, text and the like, makes none.
LAST_OF_PICTURE, LAST_PARAMETERS = 31, 34
FIRST_SLICE = 0x80
EMULATION = re.compile(rb"(?<=\0\0)\x03")
# Bytes of a sequence parameter set that its size stands within, however many sub-layers it has.
SIZE_WITHIN = 160


def sizes_in_configuration(data: bytes, budget: Iterator[int]) -> list[tuple[int, int]]:
    """Of pictures, coded, by each sequence parameter set in a box `hvcC`."""
    if len(data) > MOST_CONFIGURATION:
        raise damaged(KIND, f"its parameters have {len(data):,} bytes; {MOST_CONFIGURATION:,} are enough for all")
    reader = Bytes(data[CONFIGURATION_BYTES:], KIND)
    sizes = []
    for _ in range(reader.take(1)):
        reader.take(1)
        for _ in zip(range(reader.take(2)), budget, strict=False):
            sizes += size_of_unit(reader.piece(reader.take(2)))
    return sizes


def only_picture(data: bytes, configuration: bytes, budget: Iterator[int]) -> tuple[bytes, list[tuple[int, int]]]:
    """The units of an item that make its picture, and sizes as above. Raises Unreadable where it has not one."""
    length_size = (configuration[21:22] or b"\3")[0] % 4 + 1
    reader, kept, pictures = Bytes(data, KIND), [], 0
    sizes: list[tuple[int, int]] = []
    while reader.position < len(data):
        next(budget)
        length = reader.piece(length_size)
        unit = reader.piece(int.from_bytes(length, "big"))
        kind, layer = kind_and_layer(unit)
        if kind > LAST_PARAMETERS or layer:
            continue
        pictures += kind <= LAST_OF_PICTURE and len(unit) > 2 and bool(unit[2] & FIRST_SLICE)
        sizes += size_of_unit(unit)
        kept += [length, unit]
    if pictures != 1:
        raise damaged(KIND, f"an item has {pictures} pictures in place of one")
    return b"".join(kept), sizes


def kind_and_layer(unit: bytes) -> tuple[int, int]:
    head = int.from_bytes(unit[:2], "big")
    return head >> 9 & 63, head >> 3 & 63


def size_of_unit(unit: bytes) -> list[tuple[int, int]]:
    """One width and height of a sequence parameter set (7.3.2.2), none of another unit."""
    if kind_and_layer(unit)[0] != SEQUENCE_PARAMETERS:
        return []
    bits = Bits(EMULATION.sub(b"", unit[:SIZE_WITHIN]))
    bits.take(16 + 4)
    sub_layers = bits.take(3)
    bits.take(1 + 88 + 8)
    present = [bits.take(2) for _ in range(8 if sub_layers else 0)][:sub_layers]
    for profile_and_level in present:
        bits.take(88 * (profile_and_level >> 1) + 8 * (profile_and_level & 1))
    bits.exponential()
    if bits.exponential() == 3:
        bits.take(1)
    return [(bits.exponential(), bits.exponential())]
