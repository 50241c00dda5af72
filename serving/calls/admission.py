"""The door of the server: how many requests are inside, and whether more may come in."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

from serving.errors import NotServingError, QueueFullError

_SHORTEST_MS: Final = 10
_LONGEST_MS: Final = 5000
_UNKNOWN: Final = 0.1  # seconds for a place, before one has become free
_MEMORY: Final = 0.2  # weight of the newest departure in the average


class Turnover:
    """Watches those who come and go, and estimates for those who find no place.

    The estimate is the average time between two departures while somebody is inside. Whoever is
    turned away is told to come when it is their turn among all who were turned away, not all at
    the same time.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Starts with nobody inside. ``clock`` gives the time in seconds."""
        self._clock = clock
        self._inside = 0
        self._turned_away = 0
        self._since = 0.0  # when the last one left, or the first one came into the empty room
        self._interval: float | None = None

    @property
    def inside(self) -> int:
        """How many are inside."""
        return self._inside

    def enter(self, count: int = 1) -> None:
        """Notes that so many came in."""
        if self._inside == 0:
            self._since = self._clock()
        self._inside += count

    def leave(self, count: int = 1) -> None:
        """Notes that so many left, together."""
        now = self._clock()
        newest = (now - self._since) / count
        old = newest if self._interval is None else self._interval
        self._interval = old + _MEMORY * (newest - old)
        self._since = now
        self._inside -= count
        self._turned_away = max(0, self._turned_away - count) if self._inside else 0

    def turn_away(self) -> int:
        """Notes that one found no place; gives in how many milliseconds to try again."""
        self._turned_away += 1
        interval = _UNKNOWN if self._interval is None else self._interval
        milliseconds = 1000 * interval * self._turned_away
        return round(min(max(milliseconds, _SHORTEST_MS), _LONGEST_MS))


class Admission:
    """Counts requests from before their photo is decoded until their answer is sent.

    One bound over the whole way is enough to bound memory at every stage, and a request that
    finds the server full is refused before it has cost any work.

    Starts closed. To be used from the event loop's thread only.

    Attributes:
        limit: the most requests inside.
    """

    def __init__(self, limit: int) -> None:
        """Admits at most ``limit`` requests at once."""
        self.limit: Final = limit
        self._turnover = Turnover()
        self._empty = asyncio.Event()
        self._empty.set()
        self._closing = asyncio.Event()
        self._closed: str | None = "the server is starting and not ready yet; try again soon"

    @property
    def inside(self) -> int:
        """Number of admitted requests that have not left."""
        return self._turnover.inside

    @property
    def is_open(self) -> bool:
        """Whether requests may come in, if there is room."""
        return self._closed is None

    def open(self) -> None:
        """Lets requests in."""
        self._closed = None

    def close(self, reason: str) -> None:
        """Lets nobody in any more; ``reason`` is what those who try are told."""
        self._closed = reason
        self._closing.set()

    def check_open(self) -> None:
        """Raises NotServingError with the reason if the door is closed."""
        if self._closed is not None:
            raise NotServingError(self._closed)

    def enter(self) -> None:
        """Lets one request in; ``leave`` must be called once for it.

        Raises:
            NotServingError: the door is closed.
            QueueFullError: ``limit`` requests are inside.
        """
        if not self.has_room:
            raise self.turn_away()
        self._turnover.enter()
        self._empty.clear()

    @property
    def has_room(self) -> bool:
        """Whether one more request may come in."""
        return self.is_open and self.inside < self.limit

    def turn_away(self) -> NotServingError | QueueFullError:
        """Gives the reason for a request that cannot come in; counts it among those who wait."""
        if self._closed is not None:
            return NotServingError(self._closed)
        return self.full(f"{self.inside} requests are inside, its limit")

    def full(self, reason: str) -> QueueFullError:
        """Gives the error for a request that ``reason`` keeps out; counts it as waiting."""
        return QueueFullError(
            f"the server is full: {reason}; try again later", self._turnover.turn_away()
        )

    def leave(self) -> None:
        """Says that one request is done."""
        self._turnover.leave()
        if self.inside == 0:
            self._empty.set()

    async def closing(self) -> None:
        """Waits until the door is closed for good; streams would stay inside for ever."""
        await self._closing.wait()

    async def empty(self) -> None:
        """Waits until nobody is inside."""
        await self._empty.wait()
