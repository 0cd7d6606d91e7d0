"""AV1 as still pictures have it (AV1 Bitstream & Decoding Process Specification, 5): units that each say their kind."""

from collections.abc import Iterator

from service.picture.structure.bits import Bits, Bytes
from service.picture.structure.limits import damaged

KIND = "AVIF"
SEQUENCE_HEADER, TEMPORAL_DELIMITER, FRAME_HEADER, TILES, FRAME = 1, 2, 3, 4, 6
KEPT = {SEQUENCE_HEADER, TEMPORAL_DELIMITER, FRAME_HEADER, TILES, FRAME}
# A picture may come in layers, each finer than the one before.
MOST_FRAMES = 4
# Bytes of the configuration box before its units, and the most that it has; encoders write some twenty.
CONFIGURATION_BYTES, MOST_CONFIGURATION = 4, 4096


def sizes_in_configuration(data: bytes, budget: Iterator[int]) -> list[tuple[int, int]]:
    """Of pictures, by each sequence header in a box `av1C`."""
    if len(data) > MOST_CONFIGURATION:
        raise damaged(KIND, f"its parameters have {len(data):,} bytes; {MOST_CONFIGURATION:,} are enough for all")
    found = units(data[CONFIGURATION_BYTES:], budget)
    return [size_of(content) for kind, content, _ in found if kind == SEQUENCE_HEADER]


def only_picture(data: bytes, budget: Iterator[int]) -> tuple[bytes, list[tuple[int, int]]]:
    """The units of an item that make its picture, and sizes as above. Raises Unreadable where it has too many."""
    kept, frames, sizes = [], 0, []
    for kind, content, whole in units(data, budget):
        if kind == SEQUENCE_HEADER:
            sizes.append(size_of(content))
        frames += kind in (FRAME_HEADER, FRAME)
        if kind in KEPT:
            kept.append(whole)
    if not 0 < frames <= MOST_FRAMES:
        raise damaged(KIND, f"an item has {frames} pictures; one is wanted, in up to {MOST_FRAMES} layers")
    return b"".join(kept), sizes


def units(data: bytes, budget: Iterator[int]) -> Iterator[tuple[int, bytes, bytes]]:
    """Kind, content and all of each."""
    reader = Bytes(data, KIND)
    while reader.position < len(data):
        next(budget)
        start = reader.position
        head = reader.take(1)
        if head & 4:
            reader.take(1)
        content = reader.piece(number(reader) if head & 2 else len(data) - reader.position)
        yield head >> 3 & 15, content, data[start : reader.position]


def number(reader: Bytes) -> int:
    """leb128(): seven bits a byte, the lowest first."""
    value = 0
    for place in range(8):
        byte = reader.take(1)
        value |= (byte & 127) << 7 * place
        if byte < 128:
            break
    return value


def size_of(header: bytes) -> tuple[int, int]:
    """The most width and height, of a sequence header (5.5.1)."""
    bits = Bits(header)
    bits.take(3 + 1)
    if bits.take(1):  # of a still picture, in which nearly all is left out
        bits.take(5)
    else:
        pass_by_timing(bits)
    width_bits, height_bits = bits.take(4) + 1, bits.take(4) + 1
    return bits.take(width_bits) + 1, bits.take(height_bits) + 1


def pass_by_timing(bits: Bits) -> None:
    """Timing, decoder model and operating points, which stand before the size."""
    decoder_model, delay_bits = 0, 0
    if bits.take(1):
        bits.take(32 + 32)
        if bits.take(1):
            bits.exponential()
        decoder_model = bits.take(1)
        if decoder_model:
            delay_bits = bits.take(5) + 1
            bits.take(32 + 5 + 5)
    delay_present = bits.take(1)
    for _ in range(bits.take(5) + 1):
        bits.take(12)
        if bits.take(5) > 7:
            bits.take(1)
        if decoder_model and bits.take(1):
            bits.take(2 * delay_bits + 1)
        if delay_present and bits.take(1):
            bits.take(4)
