"""How long tasks may take, watched by one timer for all of them."""

import asyncio
from typing import Any

Task = asyncio.Task[Any]


class TimeLimit:
    """Cancels every task that takes longer than it may. For the event loop's thread.

    Nearly all tasks end long before. A timer for each, as ``asyncio.timeout`` has one, is dear:
    uvloop opens and closes a handle for it (docs/benchmarks-serving.md).

    Attributes:
        seconds: the time that each has.
    """

    def __init__(self, seconds: float) -> None:
        """Gives each task so many seconds."""
        self.seconds = seconds
        self._ends: dict[Task, float] = {}  # all have the same time, so the first ends first
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, task: Task) -> None:
        """Lets the time of ``task`` begin; it has none yet."""
        loop = asyncio.get_running_loop()
        self._ends[task] = loop.time() + self.seconds
        if self._timer is None:
            self._timer = loop.call_later(self.seconds, self._cancel_late)

    def end(self, task: Task) -> None:
        """Lets ``task`` take any time from now on."""
        self._ends.pop(task, None)

    def is_over(self, task: Task) -> bool:
        """Whether ``task`` took too long and was cancelled; asked before its ``end``."""
        return task not in self._ends

    def _cancel_late(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        now = loop.time()
        while self._ends:
            task, end = next(iter(self._ends.items()))
            if end > now:
                self._timer = loop.call_at(end, self._cancel_late)
                return
            del self._ends[task]
            task.cancel()


def retrieve(future: "asyncio.Future[Any]") -> None:
    """Looks at how ``future`` ended; to be called when it is done.

    It may be given up in the moment in which it fails, and asyncio would call that an error that
    nobody has seen, with a traceback in the log.
    """
    if not future.cancelled():
        future.exception()
