"""What takes longer than its limit is ended with TimeoutError; what does not is left alone, as is another's end."""

import asyncio
import time

import pytest

from service.web.time_limit import TimeLimit


def test_what_takes_too_long_is_ended_in_time() -> None:
    async def slow() -> float:
        limit = TimeLimit(0.05)
        start = time.perf_counter()
        with pytest.raises(TimeoutError), limit.start():
            await asyncio.sleep(10)
        # The task itself was not cancelled for good.
        await asyncio.sleep(0)
        return time.perf_counter() - start

    assert 0.04 < asyncio.run(slow()) < 5


def test_what_is_quick_is_left_alone_however_long_its_task_goes_on() -> None:
    async def quick() -> str:
        limit = TimeLimit(0.05)
        with limit.start():
            await asyncio.sleep(0)
        await asyncio.sleep(0.1)
        return "done"

    assert asyncio.run(quick()) == "done"


def test_each_of_many_has_its_own_time() -> None:
    async def many() -> list[str | BaseException]:
        limit = TimeLimit(1)

        async def one(number: int) -> str:
            await asyncio.sleep(number * 0.02)
            with limit.start():
                await asyncio.sleep(10 if number % 2 else 0.06)
            return "done"

        return await asyncio.gather(*map(one, range(10)), return_exceptions=True)

    outcomes = asyncio.run(many())
    assert outcomes[::2] == ["done"] * 5
    assert all(isinstance(outcome, TimeoutError) for outcome in outcomes[1::2])


def test_one_limit_within_another() -> None:
    async def nested() -> None:
        with TimeLimit(10).start(), TimeLimit(0.05).start():
            await asyncio.sleep(20)

    with pytest.raises(TimeoutError):
        asyncio.run(nested())


def test_a_task_that_someone_else_cancels_is_cancelled() -> None:
    async def cancelled() -> None:
        async def work() -> None:
            with TimeLimit(10).start():
                await asyncio.sleep(20)

        task = asyncio.create_task(work())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())


def test_a_cancel_in_the_moment_of_the_limit_is_not_swallowed() -> None:
    async def both() -> None:
        async def work() -> None:
            with TimeLimit(0.05).start() as running:
                asyncio.get_running_loop().call_later(0.02, running.expire)
                asyncio.get_running_loop().call_later(0.02, task.cancel)
                await asyncio.sleep(20)

        task = asyncio.create_task(work())
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(both())


def test_an_error_within_is_the_error() -> None:
    async def failing() -> None:
        with TimeLimit(10).start():
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        asyncio.run(failing())
