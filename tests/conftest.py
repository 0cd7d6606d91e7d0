"""Fixtures: the real digits, and one real server for all tests that only ask it."""

from collections.abc import Iterator

import httpx
import hypothesis
import pytest

from tests.harness import Digits, sample_digits, serving

# The same examples in every run: a red test is red for the next one too.
hypothesis.settings.register_profile("fixed", derandomize=True)
hypothesis.settings.load_profile("fixed")


@pytest.fixture(scope="session")
def digits() -> Digits:
    return sample_digits()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("server") / "log") as url:
        yield url


@pytest.fixture
def client(server: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server, timeout=30) as http:
        yield http
