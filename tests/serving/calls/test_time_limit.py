"""How long tasks may take."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import pytest

from serving.calls.time_limit import TimeLimit
from tests.serving.running import PATIENCE

SECONDS = 0.05


@pytest.fixture
async def limit() -> AsyncIterator[TimeLimit]:
    yield TimeLimit(SECONDS)
    await asyncio.sleep(2 * SECONDS)  # whatever timer is left fires without an error


def begun(limit: TimeLimit, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
    task = asyncio.get_running_loop().create_task(work)
    limit.begin(task)
    return task


async def test_a_late_task_is_cancelled_and_not_before(limit: TimeLimit) -> None:
    loop = asyncio.get_running_loop()
    started = loop.time()
    task = begun(limit, asyncio.sleep(PATIENCE))
    assert not limit.is_over(task)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert limit.is_over(task)
    assert SECONDS - 0.002 <= loop.time() - started < PATIENCE  # the loop's clock has milliseconds


async def test_whose_time_was_ended_takes_any_time(limit: TimeLimit) -> None:
    task = begun(limit, asyncio.sleep(4 * SECONDS, "done"))
    limit.end(task)
    assert await task == "done"


async def test_each_has_its_own_time_and_later_ones_have_theirs_too(limit: TimeLimit) -> None:
    ended: list[int] = []

    async def wait(number: int) -> None:
        try:
            await asyncio.sleep(PATIENCE)
        finally:
            ended.append(number)

    tasks = []
    for number in range(4):
        tasks.append(begun(limit, wait(number)))
        await asyncio.sleep(SECONDS / 3)
    limit.end(tasks[2])
    late = [task for number, task in enumerate(tasks) if number != 2]
    await asyncio.wait(late)
    assert ended == [0, 1, 3]
    assert not tasks[2].done()
    tasks[2].cancel()
    again = begun(limit, wait(4))  # after the timer has run out
    await asyncio.wait([again, tasks[2]])
    assert ended == [0, 1, 3, 2, 4]


async def test_one_timer_is_enough_for_a_thousand_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    later, timers = loop.call_later, []

    def count(*arguments: Any) -> asyncio.TimerHandle:
        timers.append(arguments)
        return later(*arguments)

    monkeypatch.setattr(loop, "call_later", count)
    limit = TimeLimit(PATIENCE)
    for _ in range(1000):
        task = begun(limit, asyncio.sleep(0))
        await task
        limit.end(task)
    assert len(timers) == 1
