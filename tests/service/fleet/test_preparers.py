"""Pictures are prepared in real processes: as in this one, and what brings one down harms no other picture."""

import asyncio
import contextlib
import gc
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from service.errors import StartError
from service.fleet.caller import PATIENT
from service.fleet.preparer import pack_prepared, unpack_prepared
from service.fleet.preparer_process import Job, unpack
from service.fleet.preparers import NoTurn, Preparers
from service.picture.fault import Fault, FaultKind
from service.picture.prepare import Prepared, Wanted, prepare
from tests.harness import ROOT, Digits, encode, png
from tests.hostile import LARGEST

WANTED = Wanted(reads_digits=True, shape=(28, 28), max_pixels=16_000_000)
PHOTO = (ROOT / "digit.png").read_bytes()


def run(
    scenario: Callable[[Preparers], Awaitable[None]],
    count: int = 1,
    max_pixels: int = 16_000_000,
    ended: str | None = None,
    longest_wait: float = 60,
) -> None:
    """ended: how the one process did that is replaced meanwhile."""
    ends: list[str] = []

    async def with_preparers() -> None:
        started = Preparers(count, max_pixels, ends.append, longest_wait)
        await started.start()
        try:
            await scenario(started)
        finally:
            started.close()

    asyncio.run(with_preparers())
    psutil.wait_procs(processes(), timeout=5)
    assert ended is None or ends == [ended]


def processes() -> list[psutil.Process]:
    """That live; one that was killed is a zombie until it is waited for."""
    found = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):
            if "service.fleet.preparer" in child.cmdline():
                found.append(child)
    return found


def same(one: Prepared, other: Prepared) -> bool:
    """But for the time that it took."""
    if (one.pixels is None) != (other.pixels is None):
        return False
    pixels = one.pixels is None or np.array_equal(one.pixels, other.pixels)  # type: ignore[arg-type]  # neither is None
    return bool(pixels) and one[1:5] == other[1:5]


@pytest.mark.parametrize(
    "content",
    [PHOTO, png(Image.new("L", (200, 200), 220)), PHOTO[:500], b"", b"text", encode(Image.new("RGB", (9, 9)), "TIFF")],
    ids=["photo", "blank", "truncated", "empty", "text", "tiny"],
)
def test_a_picture_comes_back_as_it_would_from_here(content: bytes) -> None:
    async def scenario(started: Preparers) -> None:
        for wanted in (WANTED, Wanted(reads_digits=False, shape=(3, 32, 32), max_pixels=16_000_000)):
            assert same(await started.prepare(content, wanted), prepare(content, wanted))

    run(scenario)


def test_many_at_once_get_their_own(digits: Digits) -> None:
    async def scenario(started: Preparers) -> None:
        images = [png(image.repeat(4, axis=0).repeat(4, axis=1)) for image in digits.images[::250]]
        answers = await asyncio.gather(*(started.prepare(image, WANTED) for image in images))
        assert all(same(answer, prepare(image, WANTED)) for image, answer in zip(images, answers, strict=True))

    run(scenario, count=3)


def test_one_that_is_late_is_killed_and_the_next_is_read() -> None:
    async def scenario(started: Preparers) -> None:
        (process,) = processes()
        process.suspend()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(started.prepare(PHOTO, WANTED), timeout=0.2)
        assert same(await started.prepare(PHOTO, WANTED), prepare(PHOTO, WANTED))
        assert process not in processes()
        assert len(processes()) == 1

    run(scenario, ended="deadline")


def test_one_that_still_waits_when_its_caller_leaves_kills_nothing() -> None:
    async def scenario(started: Preparers) -> None:
        (process,) = processes()
        process.suspend()
        working = asyncio.create_task(started.prepare(PHOTO, WANTED))
        await asyncio.sleep(0.05)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(started.prepare(PHOTO, WANTED), timeout=0.1)
        process.resume()
        assert same(await working, prepare(PHOTO, WANTED))
        assert processes() == [process]

    run(scenario)


def test_one_that_has_waited_for_long_is_told_so_and_the_next_is_read() -> None:
    async def scenario(started: Preparers) -> None:
        (process,) = processes()
        process.suspend()
        working = asyncio.create_task(started.prepare(PHOTO, WANTED))
        await asyncio.sleep(0.05)
        with pytest.raises(NoTurn):
            await started.prepare(PHOTO, WANTED)
        process.resume()
        assert same(await working, prepare(PHOTO, WANTED))
        assert same(await started.prepare(PHOTO, WANTED), prepare(PHOTO, WANTED))
        assert processes() == [process]

    run(scenario, longest_wait=0.1)


def test_those_that_came_together_wait_no_longer_than_one_but_take_what_is_free() -> None:
    """A form of two pictures would else wait twice, past the deadline of all."""

    async def scenario(started: Preparers) -> None:
        long_ago = asyncio.get_running_loop().time() - 60
        assert same(await started.prepare(PHOTO, WANTED, since=long_ago), prepare(PHOTO, WANTED))
        (process,) = processes()
        process.suspend()
        working = asyncio.create_task(started.prepare(PHOTO, WANTED))
        await asyncio.sleep(0.05)
        with pytest.raises(NoTurn):
            async with asyncio.timeout(5):
                await started.prepare(PHOTO, WANTED, since=long_ago)
        process.resume()
        assert same(await working, prepare(PHOTO, WANTED))

    run(scenario, longest_wait=30)


def test_one_that_has_only_begun_keeps_no_picture_waiting_that_another_could_have() -> None:
    async def scenario(started: Preparers) -> None:
        first, second = processes()
        first.suspend()
        second.suspend()
        working = [asyncio.create_task(started.prepare(PHOTO, WANTED)) for _ in range(2)]
        await asyncio.sleep(0.05)
        second.resume()
        await asyncio.wait(working, return_when=asyncio.FIRST_COMPLETED)
        for late in (task for task in working if not task.done()):
            late.cancel()
            await asyncio.wait([late])
        (begun,) = (process for process in processes() if process not in (first, second))
        begun.suspend()
        for _ in range(3):
            async with asyncio.timeout(10):
                assert same(await started.prepare(PHOTO, WANTED), prepare(PHOTO, WANTED))
        begun.resume()

    run(scenario, count=2, ended="deadline")


def test_the_time_in_which_one_begins_is_waited_for_a_turn() -> None:
    async def scenario(started: Preparers) -> None:
        (process,) = processes()
        process.suspend()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(started.prepare(PHOTO, WANTED), timeout=0.1)
        (begun,) = processes()
        begun.suspend()
        with pytest.raises(NoTurn):
            async with asyncio.timeout(10):
                await started.prepare(PHOTO, WANTED)
        begun.resume()

    run(scenario, ended="deadline", longest_wait=0.1)


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGSEGV])
def test_a_process_that_is_killed_over_a_picture_does_not_take_it_along(sent: signal.Signals) -> None:
    async def scenario(started: Preparers) -> None:
        (process,) = processes()
        process.suspend()
        working = asyncio.create_task(started.prepare(PHOTO, WANTED))
        await asyncio.sleep(0.05)
        process.send_signal(sent)
        if sent != signal.SIGKILL:
            process.resume()
        assert same(await working, prepare(PHOTO, WANTED))
        assert process not in processes()

    run(scenario, ended="died")


def test_a_picture_that_ends_two_processes_is_at_fault() -> None:
    async def scenario(started: Preparers) -> None:
        large = png(Image.new("L", (4000, 4000)))
        working = asyncio.create_task(started.prepare(large, WANTED))
        ended: list[psutil.Process] = []
        while len(ended) < 2:
            for process in (process for process in processes() if process not in ended and is_ready(process)):
                await asyncio.sleep(0.02)
                process.kill()
                ended.append(process)
            await asyncio.sleep(0.001)
        assert (await working).fault == Fault(FaultKind.DAMAGED, "the image brings its decoder down")
        assert same(await started.prepare(PHOTO, WANTED), prepare(PHOTO, WANTED))

    run(scenario)


def is_ready(process: psutil.Process) -> bool:
    """Its memory is limited right before it says so."""
    return bool(process.rlimit(psutil.RLIMIT_DATA)[0] != psutil.RLIM_INFINITY)


def test_nothing_is_left_of_pictures_that_got_no_turn_and_of_those_past_their_deadline() -> None:
    """Each may be of megabytes, and what only a collection finds stays for long."""

    async def scenario(started: Preparers) -> None:
        (process,) = processes()
        process.suspend()
        working = asyncio.create_task(started.prepare(PHOTO, WANTED))
        refused = await asyncio.gather(*(turned_away(started, 20) for _ in range(20)))
        dropped = await asyncio.gather(*(turned_away(started, 0.05) for _ in range(20)))
        assert (refused, dropped) == ([NoTurn] * 20, [TimeoutError] * 20)
        assert [each.caller for each in gc.get_objects() if type(each) is Job] == [PATIENT]
        process.resume()
        assert same(await working, prepare(PHOTO, WANTED))

    gc.collect()
    gc.disable()
    try:
        run(scenario, longest_wait=1)
    finally:
        gc.enable()


async def turned_away(started: Preparers, seconds: float) -> type[Exception]:
    try:
        async with asyncio.timeout(seconds):
            await started.prepare(PHOTO, WANTED)
    except (NoTurn, TimeoutError) as error:
        return type(error)
    raise AssertionError("it was prepared")


def test_an_answer_without_end_is_not_waited_for() -> None:
    with pytest.raises(ValueError, match="8,589,934,590 bytes"):
        unpack(bytearray(b"\xff" * 8))


def test_no_picture_is_blamed_for_a_process_that_ends_as_it_begins() -> None:
    async def scenario(started: Preparers) -> None:
        (first,) = processes()
        first.suspend()
        working = asyncio.create_task(started.prepare(PHOTO, WANTED))
        await asyncio.sleep(0.05)
        ended = {first}
        first.kill()
        while len(ended) < 4:
            for process in set(processes()) - ended:
                process.kill()
                ended.add(process)
            await asyncio.sleep(0.001)
        assert same(await working, prepare(PHOTO, WANTED))

    run(scenario)


def test_one_that_is_killed_while_it_is_free_is_replaced_before_a_picture_comes() -> None:
    async def scenario(started: Preparers) -> None:
        (first,) = processes()
        first.kill()
        while not (others := [process for process in processes() if process != first and is_ready(process)]):
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        assert same(await started.prepare(PHOTO, WANTED), prepare(PHOTO, WANTED))
        assert processes() == others

    run(scenario, ended="died")


def test_a_process_that_cannot_be_had_is_503_and_had_later(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(started: Preparers) -> None:
        (process,) = processes()
        with monkeypatch.context() as without:
            without.setattr("sys.executable", "/nowhere/python")
            process.kill()
            for _ in range(2):
                with pytest.raises(MemoryError):
                    await started.prepare(PHOTO, WANTED)
        assert same(await started.prepare(PHOTO, WANTED), prepare(PHOTO, WANTED))

    run(scenario)


@pytest.mark.parametrize("turns", [0, 1, 2, 3, 5])
def test_a_caller_that_leaves_while_a_process_begins_leaves_nothing_half_open(turns: int) -> None:
    async def scenario(started: Preparers) -> None:
        (process,) = processes()
        process.kill()
        with pytest.raises(TimeoutError):  # which makes a new one begin
            async with asyncio.timeout(0.001):
                await started.prepare(PHOTO, WANTED)
        leaving = asyncio.create_task(started.prepare(PHOTO, WANTED))
        for _ in range(turns):
            await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        assert same(await started.prepare(PHOTO, WANTED), prepare(PHOTO, WANTED))

    run(scenario)


def test_a_picture_that_takes_too_much_memory_is_too_large_and_the_next_is_read() -> None:
    async def scenario(started: Preparers) -> None:
        picture = png(Image.new("RGBA", (4000, 4000)))
        prepared = await started.prepare(picture, WANTED)
        assert prepared.fault
        assert prepared.fault.kind == FaultKind.TOO_LARGE
        assert "bytes of memory to decode, which is the limit" in prepared.fault.detail
        assert same(await started.prepare(PHOTO, WANTED), prepare(PHOTO, WANTED))

    run(scenario, max_pixels=1, ended="memory")


def test_the_largest_picture_that_is_allowed_has_enough() -> None:
    async def scenario(started: Preparers) -> None:
        assert (await started.prepare(LARGEST["JPEG of 128 million pixels"](), WANTED)).reason is not None
        for mode in ("RGBA", "LA", "P", "I;16", "CMYK"):
            picture = encode(Image.new(mode, (4000, 4000)), "TIFF" if mode in ("I;16", "CMYK") else "PNG")
            assert (await started.prepare(picture, WANTED)).reason is not None, mode

    run(scenario)


@pytest.mark.parametrize("kind", ["HEIF", "AVIF"])
def test_what_phones_save_is_read_there_in_one_thread(digits: Digits, kind: str) -> None:
    """Its library is loaded there by the first, within the limit of memory."""

    async def scenario(started: Preparers) -> None:
        (process,) = processes()
        threads = process.num_threads()
        picture = encode(Image.fromarray(digits.pick(4)).resize((1024, 1024)), kind)
        assert same(await started.prepare(picture, WANTED), prepare(picture, WANTED))
        for name in (name for name in LARGEST if name.startswith(kind)):
            assert (await started.prepare(LARGEST[name](), WANTED)).reason is not None, name
        assert process.num_threads() == threads
        assert processes() == [process]

    run(scenario)


def test_what_a_decoder_writes_goes_nowhere(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "fax.tiff"
    Image.new("1", (200, 200)).save(path, compression="group4")
    content = bytearray(path.read_bytes())
    content[8:200] = os.urandom(192)

    async def scenario(started: Preparers) -> None:
        await started.prepare(bytes(content), WANTED)

    run(scenario)
    assert capfd.readouterr() == ("", "")


def test_it_goes_on_where_the_server_is_told_to_stop_and_ends_with_it() -> None:
    async def scenario(started: Preparers) -> None:
        (process,) = processes()
        process.terminate()
        process.send_signal(signal.SIGINT)
        assert same(await started.prepare(PHOTO, WANTED), prepare(PHOTO, WANTED))
        assert process.is_running()

    run(scenario)
    psutil.wait_procs(processes(), timeout=5)
    assert processes() == []


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_one_that_has_only_begun_as_the_server_is_told_to_stop_begins_all_the_same(sent: signal.Signals) -> None:
    """Whoever stops a server that starts would read a traceback for each of its workers."""

    async def told_at_once() -> None:
        started = Preparers(2, WANTED.max_pixels)
        for process in processes():
            process.send_signal(sent)
        await started.start()
        assert len(processes()) == 2
        started.close()

    asyncio.run(told_at_once())
    psutil.wait_procs(processes(), timeout=5)
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_a_process_that_cannot_start_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(StartError, match="a process for pictures does not start"):
        run(lambda _: asyncio.sleep(0))


@pytest.mark.parametrize(
    "prepared",
    [
        Prepared(
            np.arange(1568, dtype=np.uint8).reshape(2, 28, 28),
            ("one", "other"),
            (("a", "b"),),
            None,
            None,
            None,
            0.5,
            0.25,
            "ab" * 32,
        ),
        Prepared(None, (), (("one", "why"),), "blank: …", "only the first of several frames was read", None, 0.5, 0.25),
        Prepared(None, (), (), None, None, Fault(FaultKind.DAMAGED, 'it says "ß"'), 0.5, 0.0),
    ],
    ids=["pixels", "reason", "fault"],
)
def test_what_crosses_over_is_what_was_sent(prepared: Prepared) -> None:
    packed = pack_prepared(prepared)
    size = int.from_bytes(packed[:4], "big")
    crossed = unpack_prepared(packed[8 : 8 + size], packed[8 + size :])
    assert same(prepared, crossed)
    assert (crossed.decode_seconds, crossed.normalise_seconds, crossed.sha256) == prepared[6:]
