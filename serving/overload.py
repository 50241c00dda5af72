"""Turns calls away before their message is read: the server is full, or too many come at once."""

import asyncio
from typing import Any, Final

import grpc

from serving.admission import Admission
from serving.health_service import HEALTH_METHODS

# Streams are no part of it: they stay open, and each of their frames is admitted on its own.
_WITH_PHOTOS: Final = frozenset(
    {"/sfumato.v1.StylizationService/Stylize", "/inference.GRPCInferenceService/ModelInfer"}
)
_SPARE_CALLS: Final = 64  # of all kinds, beside the photos inside and as many on their way


def most_calls(max_queue_size: int) -> int:
    """Gives how many calls of all kinds may be open, for so many photos inside."""
    return 2 * max_queue_size + _SPARE_CALLS


class Overload:
    """Bounds the calls that are open, and among them those whose photo is still on its way.

    A photo is admitted when it is there; until then it takes memory, too. Health is answered
    whatever else there is: an orchestrator that hears nothing ends a server that is only busy.
    """

    def __init__(self, admission: Admission) -> None:
        """Asks ``admission`` whether there is room."""
        self._admission = admission
        # gRPC does each call in a task of its own, from here to its end.
        self._open: set[asyncio.Task[Any]] = set()
        self._coming: set[asyncio.Task[Any]] = set()

    def check(self, details: grpc.HandlerCallDetails) -> None:
        """Counts a call in until its end.

        Raises:
            NotServingError: the server is closed.
            QueueFullError: there is no room.
        """
        method, task = details.method, asyncio.current_task()
        if method.startswith(HEALTH_METHODS) or task is None:
            return
        self._check_room(method)
        self._open.add(task)
        task.add_done_callback(self._forget)
        if method in _WITH_PHOTOS:
            self._coming.add(task)

    def message_is_there(self) -> None:
        """Says that nothing is on its way any more in the call that is being answered."""
        task = asyncio.current_task()
        if task is not None:
            self._coming.discard(task)

    def _check_room(self, method: str) -> None:
        limit = self._admission.limit
        if method in _WITH_PHOTOS:
            if not self._admission.has_room:
                raise self._admission.turn_away()
            if len(self._coming) >= limit:
                raise self._admission.turn_away(f"{limit} photos are on their way in")
        if len(self._open) >= most_calls(limit):
            raise self._admission.turn_away(f"{len(self._open)} calls are open")

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._open.discard(task)
        self._coming.discard(task)
