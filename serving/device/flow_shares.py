"""Whose photos one network paints next: a fair share for each client, connection and size."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from serving.calls.caller import Caller
from serving.device.fair_share import FairShare

Size = tuple[int, int]
"""Height and width."""

Flow = tuple[Caller, Size]
"""The photos of one caller that have one size."""


class FlowShares:
    """Shares within shares.

    All clients get the same, each divides it among its connections, and a connection among the
    sizes of its photos. So whoever sends many sizes, or through many connections, gains nothing.
    """

    def __init__(self) -> None:
        """Starts with equal shares."""
        self._clients: Final = FairShare[str]()
        self._connections: Final = defaultdict[str, FairShare[Caller]](FairShare)
        self._sizes: Final = defaultdict[Caller, FairShare[Size]](FairShare)

    def first(self, flows: Collection[Flow]) -> Flow:
        """Gives the flow whose turn it is; among equals, the first. There must be one."""
        client = self._clients.first(caller.client for caller, _ in flows)
        callers = (caller for caller, _ in flows if caller.client == client)
        caller = self._connections[client].first(callers)
        return caller, self._sizes[caller].first(size for other, size in flows if other == caller)

    def charge(self, pixels: Mapping[Flow, int], waiting: Iterable[Caller]) -> None:
        """Notes what a batch had of each flow.

        Args:
            pixels: how many of each.
            waiting: those who have more photos in the queue.
        """
        clients, callers = Counter[str](), Counter[Caller]()
        for (caller, size), cost in pixels.items():
            clients[caller.client] += cost
            callers[caller] += cost
            self._sizes[caller].charge(size, cost)
        for caller, cost in callers.items():
            self._connections[caller.client].charge(caller, cost)
        for client, cost in clients.items():
            self._clients.charge(client, cost)
        self._forget({*waiting})

    def _forget(self, waiting: set[Caller]) -> None:
        """Drops the shares within those who neither wait nor had anything of late."""
        for caller in self._sizes.keys() - waiting:
            if not self._connections[caller.client].is_ahead(caller):
                del self._sizes[caller]
        for client in self._connections.keys() - {caller.client for caller in waiting}:
            if not self._clients.is_ahead(client):
                del self._connections[client]
