"""Leaves connections that have gone silent for fresh ones.

A server that hangs keeps its connections open, and gRPC goes on giving calls to them. A fresh
connection does not come about before the server has answered, so one that hangs gets no call.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Final, Generic, TypeVar

_SHORTEST_LIFE_SECONDS: Final = 1.0  # with timeouts of milliseconds, not one with every call

_Line = TypeVar("_Line")


class Renewal(Generic[_Line]):
    """The line that calls use, and those that earlier calls still use.

    Attributes:
        closed: whether no call can be made any more.
    """

    def __init__(self, open_line: Callable[[], _Line]) -> None:
        """Opens the first line."""
        self._open = open_line
        self._lock = threading.Lock()
        self.closed = False
        self._calls: Counter[_Line] = Counter()
        self._current = open_line()
        self._opened = time.monotonic()

    def begin(self) -> _Line:
        """Gives the line for a call that begins, which must ``end``."""
        with self._lock:
            self._calls[self._current] += 1
            return self._current

    def end(self, line: _Line) -> bool:
        """Notes that a call has ended; tells whether its line has to be closed now."""
        with self._lock:
            self._calls[line] -= 1
            if self._calls[line]:
                return False
            del self._calls[line]
            return line is not self._current and not self.closed

    def renew(self, silent: _Line) -> None:
        """Opens another line in place of one on which a call had no answer."""
        with self._lock:
            young = time.monotonic() - self._opened < _SHORTEST_LIFE_SECONDS
            if silent is self._current and not young and not self.closed:
                self._current = self._open()
                self._opened = time.monotonic()

    def close(self) -> set[_Line]:
        """Gives all lines that are open, to be closed."""
        with self._lock:
            self.closed = True
            return {self._current, *self._calls}
