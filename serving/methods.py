"""All methods of a server, behind doors that turn calls away before a message of theirs is read."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

import grpc

from serving.message_check import MessageCheck

if TYPE_CHECKING:
    from serving.refusal import Handler


class Door(Protocol):
    """Looks at every call that comes for a method there is."""

    def refusal(self, details: grpc.HandlerCallDetails, /) -> "Handler | None":
        """Give what answers the call instead of its method; None lets it in."""
        ...


class Methods(grpc.GenericRpcHandler):
    """The methods of all services that are added to it, as if it were a server of gRPC.

    To gRPC they are a single handler. With every call, grpc.aio goes through all methods that are
    registered, twenty here, and makes coroutines for each interceptor.
    """

    def __init__(self, doors: Sequence[Door], check: MessageCheck) -> None:
        """Begins without services; a call has to come through all ``doors``, in their order."""
        self._doors: Final = tuple(doors)
        self._check = check
        self._services: list[grpc.GenericRpcHandler] = []
        self._checked: dict[str, Handler] = {}

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        """Adds the methods of a service."""
        self._services += handlers

    def add_registered_method_handlers(self, _service: str, _methods: Mapping[str, Any]) -> None:
        """Does nothing: the generic handlers have the same methods."""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "Handler | None":
        """Gives what answers a call; None if there is no such method."""
        handler = self._handler(handler_call_details)
        if handler is None:
            return None
        for door in self._doors:
            if refusal := door.refusal(handler_call_details):
                return refusal
        return handler

    def _handler(self, details: grpc.HandlerCallDetails) -> "Handler | None":
        method = details.method
        if method not in self._checked:
            found = (service.service(details) for service in self._services)
            handler = next((handler for handler in found if handler is not None), None)
            if handler is None:
                return None  # and is not kept: clients may make up any number of names
            self._checked[method] = self._check.before(method, handler)
        return self._checked[method]
