"""Threads that work for the event loop."""

import asyncio
import gc
import threading
import weakref
from collections.abc import Callable, Iterator

import pytest

from serving.device.worker_threads import WorkerThreads
from tests.serving.running import PATIENCE, until


@pytest.fixture
def thread() -> Iterator[WorkerThreads]:
    with WorkerThreads(1, "worker") as thread:
        yield thread


async def test_a_result_comes_back_from_a_thread_of_that_name(thread: WorkerThreads) -> None:
    assert await thread.run(lambda: threading.current_thread().name) == "worker_0"


async def test_an_error_comes_back_as_it_was_raised(thread: WorkerThreads) -> None:
    error = ValueError("no such photo")

    def fail() -> None:
        raise error

    with pytest.raises(ValueError, match="no such photo") as caught:
        await thread.run(fail)
    assert caught.value is error
    assert await thread.run(lambda: 1) == 1  # the thread lives on


async def test_one_thread_works_in_the_order_of_arrival(thread: WorkerThreads) -> None:
    done: list[int] = []
    await asyncio.gather(*(thread.run(lambda n=n: done.append(n)) for n in range(50)))  # type: ignore[misc]
    assert done == list(range(50))


async def test_two_threads_work_at_once() -> None:
    meeting = threading.Barrier(2, timeout=PATIENCE)
    with WorkerThreads(2, "worker") as threads:
        arrivals = await asyncio.gather(threads.run(meeting.wait), threads.run(meeting.wait))
    assert sorted(arrivals) == [0, 1]


async def test_what_is_cancelled_before_its_turn_is_never_done(thread: WorkerThreads) -> None:
    done: list[str] = []
    free = threading.Event()
    first = thread.run(lambda: free.wait(PATIENCE))
    second = thread.run(lambda: done.append("second"))
    third = thread.run(lambda: done.append("third"))
    second.cancel()
    free.set()
    await third
    assert first.result() is True
    assert done == ["third"]


async def test_what_is_cancelled_while_it_is_done_troubles_nobody(thread: WorkerThreads) -> None:
    begun, free = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        free.wait(PATIENCE)

    cancelled = thread.run(work)
    await asyncio.to_thread(begun.wait, PATIENCE)
    cancelled.cancel()
    free.set()
    assert await thread.run(lambda: 2) == 2
    assert cancelled.cancelled()


def test_the_end_does_not_wait_longer_than_told() -> None:
    free = threading.Event()
    threads = WorkerThreads(1, "busy")
    asyncio.run(_give_up(threads, lambda: free.wait(PATIENCE)))
    threads.shutdown(0.01)
    assert threads._threads[0].is_alive()
    free.set()
    threads.shutdown()
    assert not threads._threads[0].is_alive()


async def _give_up(threads: WorkerThreads, work: Callable[[], object]) -> None:
    threads.run(work)


async def test_a_thread_that_waits_keeps_nothing_of_its_last_work(thread: WorkerThreads) -> None:
    class Photo:
        """Something large."""

    photo = Photo()
    gone = weakref.ref(photo)
    await thread.run(lambda photo=photo: None)  # type: ignore[misc]
    del photo
    await until(lambda: gone() is None)


async def test_an_error_does_not_keep_what_was_worked_on(thread: WorkerThreads) -> None:
    class Photo:
        """Something large."""

    async def fail() -> weakref.ref[Photo]:
        photo = Photo()

        def work() -> None:
            raise ValueError(str(photo))

        with pytest.raises(ValueError, match="Photo"):
            await thread.run(work)
        return weakref.ref(photo)

    gc.disable()
    try:
        gone = await fail()
        await thread.run(lambda: None)
        assert gone() is None  # by counting alone: there is no cycle to be found
    finally:
        gc.enable()


async def test_the_end_comes_after_all_that_was_begun() -> None:
    done: list[int] = []
    threads = WorkerThreads(2, "worker")
    for number in range(20):
        threads.run(lambda n=number: done.append(n))  # type: ignore[misc]
    threads.shutdown()
    assert sorted(done) == list(range(20))


def test_work_that_outlasts_the_event_loop_ends_quietly() -> None:
    free = threading.Event()
    threads = WorkerThreads(1, "worker")

    async def begin() -> None:
        threads.run(lambda: free.wait(PATIENCE))

    asyncio.run(begin())
    free.set()
    threads.shutdown()  # would wait for ever if the thread had died of it
    assert not any(thread.name == "worker_0" for thread in threading.enumerate())
