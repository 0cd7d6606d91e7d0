"""Some thousands of the files that `make fuzz` makes, each prepared as the service prepares uploads."""

import contextlib
import random
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from proofs.fuzz import execute
from proofs.fuzz.__main__ import Fuzz, Result
from proofs.fuzz.corpus import Corpus, corpus, digit
from proofs.fuzz.mutate import change_one, mutant
from proofs.fuzz.parts import PARTED, Part
from service.picture.structure.scan import FORMATS, format_of
from tests.harness import wait_until


@pytest.fixture(scope="module")
def files() -> Corpus:
    return corpus()


@pytest.fixture(scope="module")
def fuzz(tmp_path_factory: pytest.TempPathFactory) -> Fuzz:
    return Fuzz(seed=1, folder=tmp_path_factory.mktemp("fuzz"))


def test_files_changed_at_random_come_to_a_value(fuzz: Fuzz) -> None:
    """How long each takes is for an idle machine."""
    total = Result()
    for result in fuzz.run(executions=3000, processes=2):
        total.add(result)
    assert [finding for finding in total.findings if not finding[1].startswith("slow")] == []
    assert total.executions == total.outcomes.total() == 3000
    assert {"pixels", "refused", "damaged", "too large", "unsupported"} <= set(total.outcomes)


def test_there_are_files_of_every_format_and_most_mutants_are_still_of_it(files: Corpus) -> None:
    assert all(files.small[kind] for kind in FORMATS)
    kinds = Counter(format_of(mutant(files, random.Random(number))) for number in range(1000))
    assert set(kinds) == {*FORMATS, None}
    assert kinds[None] < 150


def test_a_mutant_is_made_again_by_its_number(files: Corpus) -> None:
    made = [execute.content_of(files, 1, number) for number in range(50)]
    assert made == [execute.content_of(files, 1, number) for number in range(50)]
    assert len(set(made)) > 45


def test_a_part_that_is_large_is_not_repeated_into_hundreds_of_megabytes() -> None:
    large = Part(b"IDAT", bytes(1_000_000))
    made = [change_one([large], [], random.Random(seed)) for seed in range(100)]
    assert max(map(len, made)) == 2
    small = [change_one([Part(b"tEXt", b"a=b")], [], random.Random(seed)) for seed in range(100)]
    assert max(map(len, small)) == 200


@pytest.mark.parametrize("kind", PARTED)
def test_a_file_is_the_sum_of_its_parts(kind: str) -> None:
    form, content = PARTED[kind], digit(kind, 64, {})
    parts = form.part(content[form.head :])
    assert len(parts) > 1 or kind == "WEBP"
    assert content[: form.head] + form.join(parts) == content


def test_a_process_that_ends_is_a_finding_and_the_rest_is_run(fuzz: Fuzz) -> None:
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(fuzz.chunk, range(5000, 5500))
        progress = fuzz.folder / "at 5000"
        wait_until(lambda: progress.exists() and int.from_bytes(progress.read_bytes(), sys.byteorder) > 5000)
        for child in psutil.Process().children():
            with contextlib.suppress(psutil.NoSuchProcess):  # another's, that has just ended
                if str(progress) in child.cmdline():
                    child.kill()
        result = running.result()
    ((number, reason),) = [finding for finding in result.findings if not finding[1].startswith("slow")]
    assert reason == "its process ended: SIGKILL"
    assert 5000 < number < 5500
    assert result.executions == 500


def test_time_and_memory_count_as_they_are_alone(fuzz: Fuzz) -> None:
    ended = (3, "its process ended: SIGKILL")
    assert fuzz.confirmed([(1, "slow: 1.01 s"), (2, "memory: 304 MB"), ended]) == [ended]


def test_what_is_slow_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    content, outcomes = digit("PNG", 64, {}), Counter[str]()
    assert list(execute.wrong_with(content, execute.DIGITS, outcomes)) == []
    monkeypatch.setattr(execute, "LONGEST", 0)
    (reason,) = execute.wrong_with(content, execute.DIGITS, outcomes)
    assert reason.startswith("slow: ")
    assert outcomes == {"pixels": 2}


def test_what_takes_much_memory_is_a_finding(
    files: Corpus, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    monkeypatch.setattr(execute, "MOST_MEMORY", -1)
    execute.run(files, 1, range(10), memoryview(bytearray(8)).cast("q"))
    assert b'{"number":0,"reason":"memory: ' in capfdbinary.readouterr().out
