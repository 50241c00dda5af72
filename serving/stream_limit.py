"""How many streams one client may have open at once."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from serving.errors import TooManyStreamsError


class StreamLimit:
    """Counts the open streams of each client. For the event loop's thread only."""

    def __init__(self, per_client: int) -> None:
        """Allows each client so many streams at once."""
        self._per_client = per_client
        self._open: Counter[str] = Counter()

    @property
    def open(self) -> int:
        """Number of streams that are open, of all clients."""
        return self._open.total()

    @contextmanager
    def admitted(self, client: str) -> Iterator[None]:
        """Counts a stream of ``client`` in for as long as the block lasts.

        Raises:
            TooManyStreamsError: the client has as many as it may have.
        """
        if self._open[client] >= self._per_client:
            raise TooManyStreamsError(
                f"this client has {self._open[client]} streams open, its limit; "
                "close one, or send the frames through one that is open"
            )
        self._open[client] += 1
        try:
            yield
        finally:
            self._open[client] -= 1
            if not self._open[client]:
                del self._open[client]
