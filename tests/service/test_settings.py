"""Settings are read from the environment, and a wrong one is named together with what is allowed."""

import dataclasses

import pytest

from service.errors import StartError
from service.settings import Settings


def test_defaults_need_no_environment() -> None:
    settings = Settings.from_environment({})
    assert settings.provider == "auto"
    assert settings.max_body_bytes == 5_000_000
    assert settings.max_pixels == 16_000_000
    assert settings.max_files == 256


def test_values_are_read_with_their_types() -> None:
    settings = Settings.from_environment({"NUMERAL_PROVIDER": "cpu", "NUMERAL_MAX_BATCH": "8", "HOME": "x"})
    assert (settings.provider, settings.max_batch) == ("cpu", 8)


def test_settings_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().max_batch = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("NUMERAL_PROVIDER", "gpu", "'auto', 'cuda' or 'cpu'"),
        ("NUMERAL_MAX_BATCH", "many", "valid integer"),
        ("NUMERAL_MAX_PIXELS", "0", "greater than 0"),
        ("NUMERAL_THREADS", "-1", "greater than or equal to 0"),
        ("NUMERAL_QUEUE_SIZE", "255", "256"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(name: str, value: str, said: str) -> None:
    with pytest.raises(StartError) as raised:
        Settings.from_environment({name: value})
    assert name in str(raised.value)
    assert value in str(raised.value)
    assert said in str(raised.value)


def test_every_wrong_value_is_named_at_once() -> None:
    with pytest.raises(StartError, match=r"NUMERAL_PROVIDER.*NUMERAL_MAX_BATCH"):
        Settings.from_environment({"NUMERAL_PROVIDER": "x", "NUMERAL_MAX_BATCH": "y"})


def test_a_misspelt_variable_is_noticed() -> None:
    assert Settings.unknown({"NUMERAL_PROVIDR": "cpu", "NUMERAL_PROVIDER": "cpu"}) == ["NUMERAL_PROVIDR"]
