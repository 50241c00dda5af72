"""Who else uses the device at the moment."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class DeviceShare:
    """Counts the batches that run on one device, of all its networks. For any thread."""

    def __init__(self) -> None:
        """Starts with none."""
        self._lock = threading.Lock()
        self._running = 0

    @contextmanager
    def taken(self) -> Iterator[int]:
        """Counts one batch in for as long as the block lasts; gives how many others run."""
        with self._lock:
            others = self._running
            self._running += 1
        try:
            yield others
        finally:
            with self._lock:
                self._running -= 1
