"""Whose turn it is when several want the same device: start-time fair queueing.

Goyal, Vin and Cheng 1996, "Start-time Fair Queueing: A Scheduling Algorithm for Integrated
Services Packet Switching Networks".
"""

from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


class FairShare(Generic[Key]):
    """Gives each of those who always have work the same share of the device.

    Every key has a tag, the virtual time at which its next piece of work starts. The lowest tag
    goes first, and what the work costs is added to it. Who had no work for a while does not save
    up a credit: its tag is never behind the virtual time.
    """

    def __init__(self) -> None:
        """Starts with equal shares."""
        self._now = 0.0
        self._next_start: dict[Key, float] = {}

    def first(self, keys: Iterable[Key]) -> Key:
        """Gives the key whose turn it is; among equals, the first. There must be one."""
        return min(keys, key=self._start)

    def charge(self, key: Key, cost: float) -> None:
        """Notes that ``key`` had its turn, and what that cost, in any unit above zero."""
        self._now = max(self._now, self._start(key))
        self._next_start[key] = self._start(key) + cost
        # A tag that is not ahead of the virtual time says nothing.
        self._next_start = {k: start for k, start in self._next_start.items() if start > self._now}

    def is_ahead(self, key: Key) -> bool:
        """Whether ``key`` had more than its share of late; those who had not are all the same."""
        return key in self._next_start

    def _start(self, key: Key) -> float:
        return max(self._now, self._next_start.get(key, 0.0))
