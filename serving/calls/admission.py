"""The door of the server: how many requests are inside, and whether more may come in."""

import asyncio
from typing import Final

from serving.calls.turnover import Turnover
from serving.errors import NotServingError, QueueFullError


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
