"""Waits for the message of a call, but not for ever, and answers what is none as what it is.

gRPC itself would wait as long as the connection lives. Bytes that are no message are an invalid
argument; gRPC would answer UNKNOWN, as if the server had failed, and log a traceback each time.
"""

import asyncio
from collections.abc import Callable, Collection
from typing import Any, Final, TypeAlias

import grpc
from google.protobuf.message import DecodeError

from serving.call import Calls, Context
from serving.errors import DeadlineExpiredError, InvalidRequestError

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"

_NO_MESSAGE: Final = (
    "what came is not the message that this method takes; make the client from the server's .proto "
    "files"
)


class _Unreadable:
    """Stands for bytes that are no message, from where they are read to where that is told."""


_UNREADABLE: Final = _Unreadable()


async def read_message(context: Context) -> Any:
    """Reads the next message of a call; ``grpc.aio.EOF`` if there is none.

    Raises:
        InvalidRequestError: it is none of this method.
    """
    message = await context.read()
    if message is _UNREADABLE:
        raise InvalidRequestError(_NO_MESSAGE)
    return message


class MessageCheck:
    """Stands before the methods of some services; their streams use ``read_message``."""

    def __init__(
        self,
        services: Collection[str],
        calls: Calls,
        *,
        max_upload_seconds: float,
        is_there: Callable[[], None],
    ) -> None:
        """Checks what comes to ``services``.

        Args:
            services: their full names.
            calls: learn what was refused.
            max_upload_seconds: how long a message may be on its way; streams may take any time.
            is_there: called in a call once its message is there.
        """
        self._services = frozenset(services)
        self._calls = calls
        self._max_upload_seconds = max_upload_seconds
        self._is_there = is_there

    def before(self, method: str, handler: Any) -> Handler:  # gRPC types those of threads
        """Gives the handler of ``/service/Method`` with a check before it."""
        if method.split("/")[1] not in self._services:
            return handler  # type: ignore[no-any-return]
        read = _tolerant(handler.request_deserializer)
        if handler.request_streaming:
            return grpc.stream_stream_rpc_method_handler(
                handler.stream_stream, read, handler.response_serializer
            )

        async def read_and_answer(_: object, context: Context) -> Any:
            try:
                async with asyncio.timeout(self._max_upload_seconds):
                    request = await read_message(context)
            except TimeoutError:
                late = f"the message was not there after {self._max_upload_seconds:g} seconds"
                return await self._calls.refuse(method, DeadlineExpiredError(late), context)
            except InvalidRequestError as error:
                return await self._calls.refuse(method, error, context)
            if request is grpc.aio.EOF:  # nothing was asked, most likely the client is gone
                await context.abort(grpc.StatusCode.CANCELLED, "the call ended without a message")
            self._is_there()
            return await handler.unary_unary(request, context)

        # To gRPC it is one of streams: those begin before their message is there.
        return grpc.stream_unary_rpc_method_handler(
            read_and_answer, read, handler.response_serializer
        )


def _tolerant(read: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    def read_or_mark(data: bytes) -> Any:
        try:
            return read(data)
        except DecodeError:
            return _UNREADABLE

    return read_or_mark
