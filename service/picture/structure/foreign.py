"""What a file is that no scan is for, by its first bytes: for whoever sent it, who may not know."""

import re

LOOKED_AT = 4096

# The first that fits: some begin as others do.
KINDS: tuple[tuple[str, re.Pattern[bytes]], ...] = tuple(
    (name, re.compile(expression, re.DOTALL | re.IGNORECASE))
    for name, expression in (
        ("a PDF document", rb"%PDF-"),
        ("a PostScript document", rb"%!PS|\xc5\xd0\xd3\xc6"),
        ("an Office document (docx, xlsx or pptx)", rb"PK\x03\x04.{26}(?:\[Content_|_rels/|docProps/|word/|xl/|ppt/)"),
        ("an OpenDocument file", rb"PK\x03\x04.{26}mimetypeapplication/vnd\.oasis"),
        ("a ZIP archive", rb"PK(?:\x03\x04|\x05\x06)"),
        ("an archive (gzip)", rb"\x1f\x8b"),
        ("an archive (7z)", rb"7z\xbc\xaf\x27\x1c"),
        ("an archive (RAR)", rb"Rar!\x1a\x07"),
        ("an archive (xz)", rb"\xfd7zXZ\0"),
        ("an archive (tar)", rb".{257}ustar"),
        ("an old Office document (doc, xls or ppt)", rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
        ("a JPEG XL image", rb"\xff\x0a|\0\0\0\x0cJXL \r\n\x87\n"),
        ("a JPEG 2000 image", rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51"),
        ("a raw photo of a camera (CR3)", rb".{4}ftypcrx "),
        ("a raw photo of a camera (RAF)", rb"FUJIFILMCCD-RAW"),
        ("a raw photo of a camera (ORF or RW2)", rb"II(?:RO|RS|U\0)|MMOR"),
        ("a film (MP4 or MOV)", rb".{4}(?:ftyp|moov|mdat)"),
        ("a film (WebM or Matroska)", rb"\x1a\x45\xdf\xa3"),
        ("a film (AVI)", rb"RIFF.{4}AVI "),
        ("a sound (WAV)", rb"RIFF.{4}WAVE"),
        ("a sound (MP3)", rb"ID3|\xff[\xfb\xf3\xf2]"),
        ("a sound (Ogg)", rb"OggS"),
        ("a Photoshop document", rb"8BPS"),
        ("an icon", rb"\0\0[\x01\x02]\0[^\0]"),
        ("a picture in text (PBM, PGM or PPM)", rb"P[1-7]\s"),
        ("a pickle of Python", rb"\x80[\x02-\x05][(\x95]"),
        ("a NumPy array", rb"\x93NUMPY"),
        ("an SVG drawing", rb"(?:\xef\xbb\xbf)?\s*<(?:svg\b|(?:\?xml|!--|!doctype svg).{0,4000}<svg\b)"),
        ("an HTML page", rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype html|html\b|head\b|body\b)"),
        ("an XML document", rb"(?:\xef\xbb\xbf)?\s*<\?xml"),
        ("JSON", rb"\s*(?:\{\s*[\"}]|\[\s*[\[{\"\d\]-])"),
        ("an address, which is not fetched", rb"\s*https?://"),
        ("an image in base64, as text; send its bytes, or JSON", rb"data:image/|(?:iVBORw0KGgo|/9j/4|R0lGOD|UklGR)"),
    )
)


def what_it_is(content: bytes) -> str:
    """As it stands after "the file is"."""
    start = content[:LOOKED_AT]
    for name, expression in KINDS:
        if expression.match(start):
            return name
    shown = content[:16].decode("ascii", "backslashreplace")
    return f"{'plain text' if is_text(start) else 'unknown'} (it starts with {shown!r})"


def is_text(start: bytes) -> bool:
    """In UTF-8, which may be cut off within a character."""
    printable = all(byte >= 32 or byte in b"\t\n\r\f" for byte in start)
    return printable and "\ufffd" not in start.decode("utf-8", "replace")[:-1]
