"""Writes the log on a thread of its own, many lines at a time."""

import logging
import threading
import time
from collections import deque
from typing import Final, TextIO

_GATHER_SECONDS: Final = 0.02
_MOST_KEPT: Final = 10_000  # the oldest are lost if nobody reads the pipe that is written to


class BackgroundHandler(logging.Handler):
    """Takes records from any thread at once; they are formatted and written a little later.

    Writing a line gives up the interpreter's lock, and a busy event loop gets it back only behind
    the threads that decode photos. The library's QueueHandler would format on the event loop, and
    its MemoryHandler would keep it waiting while it writes. Warnings and errors are written before
    ``emit`` returns, and so is everything that came before them.
    """

    def __init__(self, stream: TextIO) -> None:
        """Writes to ``stream``."""
        super().__init__()
        self._stream = stream
        self._records: deque[logging.LogRecord] = deque(maxlen=_MOST_KEPT)
        self._come = threading.Event()
        self._writing = threading.RLock()
        self._closed = False
        self._writer = threading.Thread(target=self._write_on, name="log", daemon=True)
        self._writer.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps the record, or writes it if it is important."""
        self._records.append(record)
        if record.levelno >= logging.WARNING:
            self.flush()
        elif not self._come.is_set():
            self._come.set()

    def flush(self) -> None:
        """Writes all records that are kept; what cannot be written is lost."""
        with self._writing:
            lines = [self._line(self._records.popleft()) for _ in range(len(self._records))]
            if not lines:
                return
            try:
                self._stream.write("".join(lines))
                self._stream.flush()
            except (OSError, ValueError):  # a full disk, a pipe that nobody reads, a closed file
                return

    def close(self) -> None:
        """Writes the rest and ends the thread."""
        self._closed = True
        self._come.set()
        self.flush()
        super().close()

    def _line(self, record: logging.LogRecord) -> str:
        try:
            return self.format(record) + "\n"
        except Exception:  # a message that does not fit its arguments must not end the log
            self.handleError(record)
            return ""

    def _write_on(self) -> None:
        while not self._closed:
            self._come.wait()
            time.sleep(_GATHER_SECONDS)
            self._come.clear()
            self.flush()
