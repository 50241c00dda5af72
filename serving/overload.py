"""Turns photos away while they are on their way to a server that is full."""

from typing import TYPE_CHECKING, Final

import grpc

from serving.admission import Admission
from serving.call import Calls
from serving.refusal import refusal

if TYPE_CHECKING:
    from serving.refusal import Handler

# Streams are no part of it: they stay open, and each of their frames is admitted on its own.
_WITH_PHOTOS: Final = frozenset(
    {"/sfumato.v1.StylizationService/Stylize", "/inference.GRPCInferenceService/ModelInfer"}
)


class Overload:
    """Refuses calls with photos if there is no room, or the server is starting or stopping.

    The call is admitted when its photo is there; this only spares everybody its way. Otherwise
    clients could fill the memory with photos that are refused once they have come.
    """

    def __init__(self, admission: Admission, calls: Calls) -> None:
        """Asks ``admission`` whether there is room; tells the observers of ``calls``."""
        self._admission = admission
        self._calls = calls

    def refusal(self, details: grpc.HandlerCallDetails) -> "Handler | None":
        """Gives what tells a call why it is turned away; None if there is room."""
        if details.method not in _WITH_PHOTOS or self._admission.has_room:
            return None
        return refusal(details.method, self._admission.turn_away(), self._calls)
