"""Writes the log on a thread of its own, many lines at a time."""

import logging
import threading
from collections import deque
from typing import Final, TextIO

_FORMATTER: Final = logging.Formatter()
_GATHER_SECONDS: Final = 0.02
_FLUSH_SECONDS: Final = 1.0
_MOST_KEPT: Final = 10_000  # the oldest are lost if nobody reads the pipe that is written to


class BackgroundHandler(logging.Handler):
    """Takes records from any thread at once; they are formatted and written a little later.

    Writing a line gives up the interpreter's lock, and a busy event loop gets it back only behind
    the threads that decode photos; and a pipe that is full keeps the writer for as long as nobody
    reads it. The library's QueueHandler would format on the event loop, and its MemoryHandler would
    keep it waiting while it writes.
    """

    def __init__(self, stream: TextIO) -> None:
        """Writes to ``stream``."""
        super().__init__()
        self._stream = stream
        self._records: deque[logging.LogRecord] = deque(maxlen=_MOST_KEPT)
        self._flushes: deque[threading.Event] = deque()
        self._come = threading.Event()
        self._urgent = threading.Event()
        threading.Thread(target=self._write_on, name="log", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps the record; from warnings on it does not wait for more to be written with it."""
        if record.exc_info:  # its frames hold photos
            record.exc_text = _FORMATTER.formatException(record.exc_info)
            record.exc_info = None
        self._records.append(record)
        if record.levelno >= logging.WARNING:
            self._urgent.set()
        if not self._come.is_set():
            self._come.set()

    def flush(self) -> None:
        """Waits until all that is kept is written; a second at most, if nobody reads it."""
        written = threading.Event()
        self._flushes.append(written)
        self._urgent.set()
        self._come.set()
        written.wait(_FLUSH_SECONDS)

    def close(self) -> None:
        """Writes the rest."""
        self.flush()
        super().close()

    def _write_on(self) -> None:
        while True:
            self._come.wait()
            self._urgent.wait(_GATHER_SECONDS)
            self._come.clear()
            self._urgent.clear()
            flushes = [self._flushes.popleft() for _ in range(len(self._flushes))]
            self._write()
            for written in flushes:
                written.set()

    def _write(self) -> None:
        """Writes all records that are kept; what cannot be written is lost."""
        lines = [self._line(self._records.popleft()) for _ in range(len(self._records))]
        if not lines:
            return
        try:
            self._stream.write("".join(lines))
            self._stream.flush()
        except (OSError, ValueError):  # a full disk, a pipe that nobody reads, a closed file
            return

    def _line(self, record: logging.LogRecord) -> str:
        try:
            return self.format(record) + "\n"
        except Exception:  # a message that does not fit its arguments must not end the log
            self.handleError(record)
            return ""
