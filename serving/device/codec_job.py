"""A piece of work that waits for a codec thread."""

import asyncio
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from serving.device.worker_threads import WorkerThreads
from serving.errors import DeadlineExpiredError

T = TypeVar("T")


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
