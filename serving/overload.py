"""Turns calls away before their message is read: the server is full, or too many come at once."""

import asyncio
from typing import TYPE_CHECKING, Any, Final

import grpc

from serving.admission import Admission
from serving.call import Calls
from serving.refusal import refusal
from sfumato.errors import SfumatoError

if TYPE_CHECKING:
    from serving.refusal import Handler

# Streams are no part of it: they stay open, and each of their frames is admitted on its own.
_WITH_PHOTOS: Final = frozenset(
    {"/sfumato.v1.StylizationService/Stylize", "/inference.GRPCInferenceService/ModelInfer"}
)
_HEALTH: Final = "/grpc.health.v1.Health/"
_SPARE_CALLS: Final = 64  # of all kinds, beside the photos inside and as many on their way


class Overload:
    """Bounds the calls that are open, and among them those whose photo is still on its way.

    A photo is admitted when it is there; until then it takes memory, too. Health is answered
    whatever else there is: an orchestrator that hears nothing ends a server that is only busy.
    """

    def __init__(self, admission: Admission, calls: Calls) -> None:
        """Asks ``admission`` whether there is room; tells the observers of ``calls``."""
        self._admission = admission
        self._calls = calls
        # gRPC does each call in a task of its own, from here to its end.
        self._open: set[asyncio.Task[Any]] = set()
        self._coming: set[asyncio.Task[Any]] = set()

    def refusal(self, details: grpc.HandlerCallDetails) -> "Handler | None":
        """Gives what tells a call why it is turned away; None if it may come in."""
        method, task = details.method, asyncio.current_task()
        if method.startswith(_HEALTH) or task is None:
            return None
        if error := self._why_not(method):
            return refusal(method, error, self._calls)
        self._open.add(task)
        task.add_done_callback(self._forget)
        if method in _WITH_PHOTOS:
            self._coming.add(task)
        return None

    def message_is_there(self) -> None:
        """Says that nothing is on its way any more in the call that is being answered."""
        task = asyncio.current_task()
        if task is not None:
            self._coming.discard(task)

    def _why_not(self, method: str) -> SfumatoError | None:
        limit = self._admission.limit
        if method in _WITH_PHOTOS:
            if not self._admission.has_room:
                return self._admission.turn_away()
            if len(self._coming) >= limit:
                return self._admission.turn_away(f"{limit} photos are on their way in")
        if len(self._open) >= 2 * limit + _SPARE_CALLS:
            return self._admission.turn_away(f"{len(self._open)} calls are open")
        return None

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._open.discard(task)
        self._coming.discard(task)
