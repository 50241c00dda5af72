"""Answers bytes that are no message at all as what they are: an invalid argument.

gRPC itself would answer UNKNOWN, as if the server had failed, and log a traceback each time.
"""

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, Final

import grpc
from google.protobuf.message import DecodeError

from serving.call import Calls, Context
from serving.errors import InvalidRequestError
from serving.refusal import refuse

if TYPE_CHECKING:
    from serving.refusal import Handler

_NO_MESSAGE: Final = (
    "what came is not the message that this method takes; make the client from the server's .proto "
    "files"
)


class _Unreadable:
    """Stands for bytes that are no message, from where they are read to where that is told."""


_UNREADABLE: Final = _Unreadable()


async def read_message(context: Context) -> Any:
    """Reads the next message of a stream; ``grpc.aio.EOF`` if there is none.

    Raises:
        InvalidRequestError: it is none of this method.
    """
    message = await context.read()
    if message is _UNREADABLE:
        raise InvalidRequestError(_NO_MESSAGE)
    return message


class MessageCheck:
    """Stands before the methods of some services; their streams use ``read_message``."""

    def __init__(self, services: Collection[str], calls: Calls) -> None:
        """Checks what comes to ``services``; tells the observers of ``calls`` what was refused."""
        self._services = frozenset(services)
        self._calls = calls

    def before(self, method: str, handler: Any) -> "Handler":  # gRPC types those of threads
        """Gives the handler of ``/service/Method`` with a check before it."""
        if method.split("/")[1] not in self._services:
            return handler  # type: ignore[no-any-return]
        read = _tolerant(handler.request_deserializer)
        if handler.request_streaming:
            return grpc.stream_stream_rpc_method_handler(
                handler.stream_stream, read, handler.response_serializer
            )

        async def check_and_answer(request: object, context: Context) -> Any:
            if request is _UNREADABLE:
                error = InvalidRequestError(_NO_MESSAGE)
                return await refuse(method, error, self._calls, context)
            return await handler.unary_unary(request, context)

        return grpc.unary_unary_rpc_method_handler(
            check_and_answer, read, handler.response_serializer
        )


def _tolerant(read: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    def read_or_mark(data: bytes) -> Any:
        try:
            return read(data)
        except DecodeError:
            return _UNREADABLE

    return read_or_mark
