"""Threads that work for the event loop, with little between the two."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Final, Generic, Self, TypeVar

from serving.errors import DeadlineExpiredError

T = TypeVar("T")


class WorkerThreads:
    """Threads that take work from one queue, in the order in which it came.

    Attributes:
        count: how many they are.

    A request changes threads three times. Each change through ``loop.run_in_executor`` needs two
    futures, a condition and their callbacks, and more than twice the processor time
    (``python -m benchmarks.thread_change``).
    """

    def __init__(self, count: int, name: str, begin: Callable[[], None] = lambda: None) -> None:
        """Starts ``count`` threads, named after ``name``; the end of the process ends them.

        Each does ``begin`` first.
        """
        self.count = count
        self._begin = begin
        self._queue: SimpleQueue[_Work[Any] | None] = SimpleQueue()
        self._threads: Final = [
            threading.Thread(target=self._work, name=f"{name}_{number}", daemon=True)
            for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def run(self, do: Callable[[], T]) -> asyncio.Future[T]:
        """Lets a thread do something; to be called on the event loop's thread.

        Returns:
            Its result or error. If it is cancelled before a thread comes to it, nothing is done.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._queue.put(_Work(do, loop, future))
        return future

    def __enter__(self) -> Self:
        """Gives itself; the end of the block is the threads' end."""
        return self

    def __exit__(self, *_: object) -> None:
        """Does ``shutdown``."""
        self.shutdown()

    def shutdown(self, seconds: float | None = None) -> None:
        """Ends the threads once all that was given to them is done.

        Args:
            seconds: how long to wait for that; None for as long as it takes.
        """
        for _ in self._threads:
            self._queue.put(None)
        end = None if seconds is None else time.monotonic() + seconds
        for thread in self._threads:
            thread.join(None if end is None else max(0.0, end - time.monotonic()))

    def _work(self) -> None:
        self._begin()
        while (work := self._queue.get()) is not None:
            work.do_it()
            del work  # a thread that waits must not keep a photo


@dataclass(frozen=True, eq=False)
class _Work(Generic[T]):
    do: Callable[[], T]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[T]

    def do_it(self) -> None:
        # done() may be asked from another thread: it only ever turns from False to True.
        if self.future.done():
            return
        try:
            result = self.do()
        except BaseException as error:  # whatever it is, somebody waits for it
            self._tell(self._fail, error)
            del self  # the error's traceback keeps this frame, and the future keeps the error
        else:
            self._tell(self._succeed, result)

    def _tell(self, settle: Callable[[Any], None], value: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self.loop.call_soon_threadsafe(settle, value)

    def _succeed(self, result: T) -> None:
        if not self.future.done():
            self.future.set_result(result)

    def _fail(self, error: BaseException) -> None:
        if not self.future.done():
            self.future.set_exception(error)


class CodecJob(Generic[T]):
    """Work that is not done if nobody waits for it any more when its turn comes."""

    def __init__(self, work: Callable[[], T], deadline: float | None) -> None:
        """Is going to do ``work``, unless ``deadline``, by ``time.monotonic()``, has passed."""
        self._work: Callable[[], T] | None = work
        self._deadline = deadline

    async def run_in(self, threads: WorkerThreads) -> T:
        """Does the work on one of ``threads``.

        A cancelled job lets go of its work, and so of the photo in it: their queue keeps the job
        itself until a thread gets there, and cancelled calls are counted by nobody.

        Raises:
            DeadlineExpiredError: the deadline passed while it waited.
        """
        try:
            return await threads.run(self._run)
        except asyncio.CancelledError:
            self._work = None
            raise

    def _run(self) -> T:
        work = self._work
        if work is None or (self._deadline is not None and time.monotonic() >= self._deadline):
            raise DeadlineExpiredError("the deadline passed before the photo's turn")
        return work()
