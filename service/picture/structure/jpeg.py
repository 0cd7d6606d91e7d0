"""JPEG: segments that begin with a marker, scans of entropy-coded pixels between them (ITU-T T.81, annex B)."""

import re
from collections.abc import Iterator

from service.picture.fault import FaultKind, Unreadable
from service.picture.structure.directory import EXIF, orientation_of
from service.picture.structure.limits import Limits, damaged
from service.picture.structure.stripped import Stripped

START = b"\xff\xd8"
# Within a scan 0xFF is data where 0 follows, and a place to restart where D0 to D7 do; 0xFF before 0xFF only fills.
MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")
FILL = re.compile(rb"\xff{2,}")

END_OF_IMAGE, START_OF_SCAN, EXIF_SEGMENT = 0xD9, 0xDA, 0xE1
PROGRESSIVE = 0xC2
# Baseline, extended sequential and progressive. No camera, phone or browser makes the other processes.
FRAMES = {0xC0, 0xC1, PROGRESSIVE}
OTHER_FRAMES = {0xC3, *range(0xC5, 0xD0)} - {0xC8, 0xCC}
# Huffman and quantisation tables, with the most bytes that the tables of one frame can take.
TABLES = {0xC4: 2 + 8 * (17 + 256), 0xDB: 2 + 4 * (1 + 128)}
RESTART_INTERVAL = 0xDD
PLAIN = {*FRAMES, START_OF_SCAN, RESTART_INTERVAL, END_OF_IMAGE}
# These two say how the components are to become colours.
COLOURS = {0xE0: b"JFIF\0", 0xEE: b"Adobe"}

# libjpeg's own progressive files have 10 scans, those of the most thorough optimisers some 20. Each goes over all the
# pixels, however few bytes it has: 25 scans of a picture of the most pixels that are allowed take half a second.
MOST_SCANS = 100
SCANS_OF_THE_LARGEST = 25

# A side is divided by so much at the most; and how many times the pixels that are allowed one may have
# that is decoded at less: 128 million of the fewest bytes take a quarter of a second, a few rows being held at a time.
SMALLEST_SCALE = 8
HELD_IN_ROWS = 8


# Marker, start and end: the content between begins with 0xFF and the marker; behind a scan's header come its pixels.
Segment = tuple[int, int, int]


def segments(content: bytes, limits: Limits) -> Iterator[Segment]:
    """From the start of the image to the end of it, or of the file."""
    position = len(START)
    for _ in limits.budget("segments"):
        found = MARKER.search(content, position)
        if not found:
            return
        start = found.start()
        marker = content[start + 1]
        if marker == END_OF_IMAGE:
            yield marker, start, start + 2
            return
        position = start + 2 + int.from_bytes(content[start + 2 : start + 4], "big")
        if marker == START_OF_SCAN:
            behind = MARKER.search(content, position)
            position = behind.start() if behind else len(content)
        yield marker, start, position


def strip(content: bytes, limits: Limits) -> Stripped:
    """Tables, frame and scans; what stands behind the end of the image, as in phones' files, is another picture."""
    kept, size, components, scans, orientation = [START], None, b"", 0, None
    for marker, start, end in segments(content, limits):
        if marker == EXIF_SEGMENT and orientation is None and content.startswith(EXIF, start + 4):
            orientation = orientation_of(content[start + 4 : end])
        if not is_kept(marker, content, start, end):
            continue
        data = content[start:end]
        if marker in FRAMES:
            if size:
                raise damaged("JPEG", "it has two frames")
            size, components = frame_size(data), data[9:10]
            check_size(*size, limits, whole=marker == PROGRESSIVE)
        elif marker == START_OF_SCAN:
            scans += 1
            check_scans(scans, size, limits, partial=data[4:5] != components)
            data = FILL.sub(b"\xff", data) if b"\xff\xff" in data else data
        kept.append(data)
    if not size or not scans:
        raise damaged("JPEG", "it has no pixels")
    return Stripped("JPEG", b"".join(kept), *size, orientation or 1)


def is_kept(marker: int, content: bytes, start: int, end: int) -> bool:
    """Raises Unreadable where a segment cannot be what its marker says."""
    if marker in PLAIN:
        return True
    if marker in TABLES:
        if end - start - 2 > TABLES[marker]:
            raise damaged("JPEG", f"its tables have {end - start - 2:,} bytes; {TABLES[marker]:,} are enough for all")
        return True
    if marker in OTHER_FRAMES:
        raise damaged("JPEG", f"its coding process is number {marker - 0xC0}; supported: 0, 1 and 2")
    return marker in COLOURS and content.startswith(COLOURS[marker], start + 4)


def frame_size(data: bytes) -> tuple[int, int]:
    """Width and height of a frame segment."""
    height, width = int.from_bytes(data[5:7], "big"), int.from_bytes(data[7:9], "big")
    if not width or not height:
        raise damaged("JPEG", f"its frame is of {width}×{height} pixels")
    return width, height


def check_size(width: int, height: int, limits: Limits, whole: bool) -> None:
    """`whole`: the decoder holds all of the picture, as it must where there are several scans or one has not all
    components; else the pixels count that are left at the reduced size."""
    scale = 1 if whole else reduction(width, height, limits.least_side)
    if scale > 1:
        limits.check_size(width, height, times=HELD_IN_ROWS)
        limits.check_size(-(-width // scale), -(-height // scale), f"the image, reduced to 1/{scale},")
    else:
        limits.check_size(width, height, "the image, a JPEG of several scans," if whole else "the image")


def reduction(width: int, height: int, least_side: int) -> int:
    """1, 2, 4 or 8: what each side is divided by, as `Image.draft` chooses it."""
    times = min(width, height) // least_side
    return min(SMALLEST_SCALE, 1 << times.bit_length() - 1) if times else 1


def check_scans(scans: int, size: tuple[int, int] | None, limits: Limits, partial: bool) -> None:
    """`partial`: the newest has not all components."""
    if size is None:
        raise damaged("JPEG", "a scan comes before the frame")
    if partial or scans > 1:
        check_size(*size, limits, whole=True)
    most = min(MOST_SCANS, SCANS_OF_THE_LARGEST * limits.pixels // (size[0] * size[1]))
    if scans > most:
        raise Unreadable(
            FaultKind.TOO_LARGE, f"the JPEG has more than {most} scans, the limit at {size[0]}×{size[1]} pixels"
        )
