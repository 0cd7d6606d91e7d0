"""What is no picture, or one that is not read, is called by its name."""

import gzip
import io
import tarfile
import wave
import zipfile

import numpy as np
import pytest
from PIL import Image

from service.picture.fault import FaultKind, Unreadable
from service.picture.structure.foreign import LOOKED_AT, what_it_is
from service.picture.structure.limits import Limits
from service.picture.structure.scan import strip
from tests.harness import encode
from tests.hostile import tiff_file


def zipped(first: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(first, "application/vnd.oasis.opendocument.text" if first == "mimetype" else "x")
    return file.getvalue()


def tarred() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("digit.png"))
    return file.getvalue()


def waves() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setparams((1, 1, 8000, 0, "NONE", ""))
        sound.writeframes(b"\0")
    return file.getvalue()


def saved_array() -> bytes:
    file = io.BytesIO()
    np.save(file, np.zeros(3))
    return file.getvalue()


WHITE = Image.new("RGB", (32, 32), "white")
FILES: dict[str, bytes] = {
    "a PDF document": encode(WHITE, "PDF"),
    "a PostScript document": encode(WHITE, "EPS"),
    "an Office document": zipped("[Content_Types].xml"),
    "an Office document (docx, xlsx or pptx)": zipped("word/document.xml"),
    "an OpenDocument file": zipped("mimetype"),
    "a ZIP archive": zipped("7.png"),
    "an archive (gzip)": gzip.compress(b"x"),
    "an archive (tar)": tarred(),
    "a sound (WAV)": waves(),
    "an icon": encode(WHITE, "ICO"),
    "a JPEG 2000 image": encode(WHITE, "JPEG2000"),
    "a picture in text (PBM, PGM or PPM)": encode(WHITE, "PPM"),
    "a NumPy array": saved_array(),
    "a JPEG XL image": b"\xff\x0a\xfa\x7f\x01",
    "a raw photo of a camera (CR3)": b"\0\0\0\x18ftypcrx \0\0\0\x01",
    "a film (MP4 or MOV)": b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41",
    "a film (WebM or Matroska)": b"\x1a\x45\xdf\xa3\x01",
    "an SVG drawing": b'<?xml version="1.0"?>\n<!-- drawn -->\n<svg xmlns="http://www.w3.org/2000/svg"/>',
    "an HTML page": b"\n<!DOCTYPE html><html></html>",
    "an XML document": b'<?xml version="1.0"?><a/>',
    "JSON": b'{"image": "7.png"}',
    "an address, which is not fetched": b"https://example.org/7.png",
    "an image in base64": b"iVBORw0KGgoAAAANSUhEUgAAABw=",
    "plain text (it starts with 'hello')": b"hello",
    "plain text (it starts with 'eins, zwei": "eins, zwei … zwölf".encode(),
    "unknown (it starts with '\\x00\\x01\\x02": bytes(range(9)),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_called_by_its_name_and_the_formats_are_told(name: str) -> None:
    with pytest.raises(Unreadable) as raised:
        strip(FILES[name], Limits(100))
    kind, detail = raised.value.fault
    assert kind is FaultKind.UNSUPPORTED
    assert detail.startswith(f"the file is {name}")
    assert "supported: PNG, JPEG" in detail


RAW = {"DNG": tiff_file(bytes(784), (50706, 1, [1, 4, 0, 0])), "CR2": b"II*\0\x10\0\0\0CR\2\0" + bytes(9)}


@pytest.mark.parametrize("kind", RAW)
def test_a_raw_photo_is_no_tiff(kind: str) -> None:
    with pytest.raises(Unreadable, match="raw photo of a camera") as raised:
        strip(RAW[kind], Limits(1000))
    assert raised.value.fault.kind is FaultKind.UNSUPPORTED


@pytest.mark.parametrize("piece", [b" ", b"<", b"<!--", b"<?xml", b"{", b"\n{ ", b"<svg", b"%", b"PK\x03\x04"])
def test_the_same_again_and_again_is_told_at_once(piece: bytes) -> None:
    """Or never, where an expression goes back and forth over it."""
    assert what_it_is(piece * LOOKED_AT)
