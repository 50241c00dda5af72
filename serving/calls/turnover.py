"""How fast places become free, and so when trying again makes sense."""

import time
from collections.abc import Callable
from typing import Final

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
