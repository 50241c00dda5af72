"""All methods of a server, behind doors that turn calls away before a message of theirs is read."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

import grpc

from serving.calls.call import Calls, Context
from serving.calls.message_check import Handler, MessageCheck
from serving.calls.overload import Overload
from serving.errors import QueueFullError
from sfumato.errors import SfumatoError


class Door(Protocol):
    """Looks at every call that comes for a method there is."""

    def check(self, details: grpc.HandlerCallDetails, /) -> None:
        """Let the call in, or raise the SfumatoError that tells why not."""


class Methods(grpc.GenericRpcHandler):
    """The methods of all services that are added to it, as if it were a server of gRPC.

    To gRPC they are a single handler. With every call, grpc.aio goes through all methods that are
    registered, twenty here, and makes coroutines for each interceptor.
    """

    def __init__(
        self, doors: Sequence[Door], overload: Overload, messages: MessageCheck, calls: Calls
    ) -> None:
        """Begins without services.

        Args:
            doors: what a call has to come through, in this order.
            overload: the last of them; knows who gives way to whom.
            messages: stands before the methods.
            calls: learn what was turned away.
        """
        self._doors: Final[Sequence[Door]] = (*doors, overload)
        self._overload = overload
        self._messages = messages
        self._calls = calls
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
        try:
            for door in self._doors:
                door.check(handler_call_details)
        except SfumatoError as error:
            return self._refusal(handler_call_details.method, handler, error)
        return handler

    def _refusal(self, method: str, handler: Any, error: SfumatoError) -> Handler:
        # One of streams, whatever the method is, because only those begin before a message has
        # come: a photo that is going to be refused is neither received nor kept.
        async def answer(requests: object, context: Context) -> None:
            # Only here it is known who calls.
            if not isinstance(error, QueueFullError) or not self._overload.make_room(
                method, context
            ):
                await self._calls.refuse(method, error, context)
                return
            do = handler.stream_unary or handler.stream_stream
            response = await do(requests, context)
            if response is not None:
                await context.write(response)

        return grpc.stream_stream_rpc_method_handler(
            answer, handler.request_deserializer, handler.response_serializer
        )

    def _handler(self, details: grpc.HandlerCallDetails) -> "Handler | None":
        method = details.method
        if method not in self._checked:
            found = (service.service(details) for service in self._services)
            handler = next((handler for handler in found if handler is not None), None)
            if handler is None:
                return None  # and is not kept: clients may make up any number of names
            self._checked[method] = self._messages.before(method, handler)
        return self._checked[method]
