"""Settings are read from the environment, and a wrong one is named together with what is allowed."""

import pytest
from pydantic import ValidationError

from service import settings
from service.errors import StartError
from service.settings import Settings


def load(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Settings:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return settings.load()


def test_defaults_need_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = load(monkeypatch)
    assert loaded.provider == "auto"
    assert loaded.max_body_bytes == 12_000_000
    assert loaded.max_pixels == 16_000_000
    assert loaded.max_files == 256


def test_values_are_read_with_their_types(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = load(monkeypatch, NUMERAL_PROVIDER="cpu", NUMERAL_MAX_BATCH="8", NUMERAL_MAX_WAIT_MS="1.5")
    assert (loaded.provider, loaded.max_batch, loaded.max_wait_ms) == ("cpu", 8, 1.5)


def test_origins_are_parted_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(monkeypatch).cors_origins == ()
    assert load(monkeypatch, NUMERAL_CORS_ORIGINS="*").cors_origins == ("*",)
    both = load(monkeypatch, NUMERAL_CORS_ORIGINS=" https://a.example,http://localhost:8080 ,")
    assert both.cors_origins == ("https://a.example", "http://localhost:8080")


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().max_batch = 1


def test_each_setting_is_described() -> None:
    assert all(field.description for field in Settings.model_fields.values())


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("NUMERAL_PROVIDER", "gpu", "'auto', 'cuda' or 'cpu'"),
        ("NUMERAL_MAX_BATCH", "many", "valid integer"),
        ("NUMERAL_MAX_PIXELS", "0", "greater than 0"),
        ("NUMERAL_THREADS", "-1", "greater than or equal to 0"),
        ("NUMERAL_QUEUE_SIZE", "255", "NUMERAL_MAX_FILES (256) or more"),
        ("NUMERAL_MAX_UPLOAD_BYTES", "11999999", "NUMERAL_MAX_BODY_BYTES (12000000) or more"),
        ("NUMERAL_CORS_ORIGINS", "https://example.org/", "no origin; allowed: *, or such as https://example.org:8080"),
        ("NUMERAL_CORS_ORIGINS", "example.org", "no origin; allowed"),
        ("NUMERAL_MAX_WAIT_MS", "5000", "less than NUMERAL_DEADLINE_MS (5000)"),
        ("NUMERAL_MAX_WAIT_MS", "inf", "finite"),
        ("NUMERAL_MAX_WAIT_MS", "nan", "finite"),
        ("NUMERAL_FEEDBACK_DIR", "", "a folder that exists and may be written to"),
        ("NUMERAL_FEEDBACK_DIR", "/no/such/folder", "a folder that exists and may be written to"),
        ("NUMERAL_FEEDBACK_DIR", "/dev/null", "a folder that exists and may be written to"),
        ("NUMERAL_FEEDBACK_MAX_FILES", "0", "greater than 0"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    with pytest.raises(StartError) as raised:
        load(monkeypatch, **{name: value})
    assert name in str(raised.value)
    assert value in str(raised.value)
    assert said in str(raised.value)


def test_every_wrong_value_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StartError, match=r"NUMERAL_PROVIDER.*NUMERAL_MAX_BATCH"):
        load(monkeypatch, NUMERAL_PROVIDER="x", NUMERAL_MAX_BATCH="y")


def test_a_misspelt_variable_is_noticed() -> None:
    noticed = ["NUMERAL_PROVIDR is no setting and is ignored"]
    assert settings.ignored({"NUMERAL_PROVIDR": "cpu", "NUMERAL_PROVIDER": "cpu"}) == noticed


def test_a_key_of_clients_is_noticed_where_no_keys_are_asked_for() -> None:
    (line,) = settings.ignored({"NUMERAL_API_KEY": "secret"})
    assert line == "NUMERAL_API_KEY is for clients and asks nobody for a key; NUMERAL_API_KEY_FILE does"
    assert settings.ignored({"NUMERAL_API_KEY": "secret", "NUMERAL_API_KEY_FILE": "keys"}) == []
