"""Keys are read from a file that is checked, and found in either header."""

from pathlib import Path

import pytest

from service.errors import StartError
from service.web import api_keys
from service.web.api_keys import ApiKeys

FIRST, SECOND = b"0123456789abcdef", b"fedcba9876543210-other"


def file_of(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "keys"
    path.write_bytes(content)
    return path


@pytest.fixture
def keys(tmp_path: Path) -> ApiKeys:
    api_keys.take(file_of(tmp_path, FIRST + b"\r\n\n " + SECOND), tmp_path)
    assert FIRST not in (tmp_path / api_keys.FILE).read_bytes()
    return ApiKeys(api_keys.taken(tmp_path))


@pytest.mark.parametrize(
    ("name", "value", "which"),
    [
        (b"authorization", b"Bearer " + FIRST, 0),
        (b"authorization", b"bearer  " + SECOND + b" ", 1),
        (b"x-api-key", SECOND, 1),
        (b"x-api-key", FIRST[:-1], None),
        (b"x-api-key", FIRST + b"0", None),
        (b"x-api-key", b"", None),
        (b"authorization", FIRST, None),
        (b"authorization", b"Basic " + FIRST, None),
        (b"authorization", b"Bearer", None),
        (b"cookie", FIRST, None),
    ],
)
def test_a_key_is_found_in_either_header(keys: ApiKeys, name: bytes, value: bytes, which: int | None) -> None:
    assert keys.find([(b"host", b"x"), (name, value)]) == which


def test_a_wrong_one_beside_a_right_one_does_no_harm(keys: ApiKeys) -> None:
    assert keys.find([(b"x-api-key", b"wrong"), (b"authorization", b"Bearer " + FIRST)]) == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "has 0 keys; allowed: one a line, 1 to 100"),
        (b"\n".join([FIRST] * 101), "has 101 keys"),
        (b"x" * 70_000, "65,536 bytes"),
        (FIRST + b"\nsecret", "line 2 of .* is no key: it has 6 bytes; allowed: 16 to 256 characters"),
        (b"a key with spaces in it", "line 1"),
        ("schlüssel-mit-umlaut".encode(), "visible ASCII"),
    ],
)
def test_what_is_no_file_of_keys_is_named_without_what_is_in_it(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(StartError, match=said) as raised:
        api_keys.read(file_of(tmp_path, content))
    for line in content.splitlines():
        assert line.decode() not in str(raised.value).replace(str(tmp_path), "")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"NUMERAL_API_KEY_FILE is '.*nothing', which cannot be read: No such file"):
        api_keys.read(tmp_path / "nothing")
