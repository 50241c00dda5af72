"""Waits for the message of a call, but not for ever, and answers what is none as what it is.

gRPC itself would wait as long as the connection lives. Bytes that are no message are an invalid
argument; gRPC would answer UNKNOWN, as if the server had failed, and log a traceback each time.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final, TypeAlias, cast

import grpc
from google.protobuf.message import DecodeError

from serving.calls.call import HEALTH_METHODS, Calls, Context
from serving.calls.overload import Overload
from serving.calls.time_limit import TimeLimit
from serving.errors import DeadlineExpiredError, InvalidRequestError, QueueFullError

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"

REFLECTION_METHODS: Final = "/grpc.reflection."
_HEALTH_SECONDS: Final = 5.0  # nothing else bounds how many of these messages are on their way
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
    """Stands before all methods; the streams of our own services use ``read_message``."""

    def __init__(
        self,
        calls: Calls,
        *,
        max_upload_seconds: float,
        max_download_seconds: float,
        overload: Overload,
    ) -> None:
        """Checks what comes.

        Args:
            calls: learn what was refused.
            max_upload_seconds: how long a message may be on its way; our streams may take any time.
            max_download_seconds: how long an answer may be on its way before it gives up the place
                of its call; it stays on its way.
            overload: is told which calls wait for their message, and may let them give way.
        """
        self._calls = calls
        self._max_upload_seconds = max_upload_seconds
        self._answering = TimeLimit(max_download_seconds)
        self._overload = overload

    def before(self, method: str, handler: Any) -> Handler:  # gRPC types those of threads
        """Gives the handler of ``/service/Method`` with a check before it."""
        if method.startswith(REFLECTION_METHODS):
            return self._limited(method, handler)
        read = _tolerant(handler.request_deserializer)
        if handler.request_streaming:
            return grpc.stream_stream_rpc_method_handler(
                handler.stream_stream, read, handler.response_serializer
            )

        answer = handler.unary_stream or handler.unary_unary
        seconds = self._max_upload_seconds
        if method.startswith(HEALTH_METHODS):
            seconds = min(seconds, _HEALTH_SECONDS)
        reading = TimeLimit(seconds)

        async def read_and_answer(_: object, context: Context) -> Any:
            try:
                request = await self._read_within(reading, context)
            except (InvalidRequestError, DeadlineExpiredError, QueueFullError) as error:
                return await self._calls.refuse(method, error, context)
            if request is grpc.aio.EOF:  # nothing was asked, most likely the client is gone
                await context.abort(grpc.StatusCode.CANCELLED, "the call ended without a message")
            self._overload.message_is_there()
            try:
                response = await answer(request, context)
            except NotImplementedError:  # of a library whose protocol has grown
                await context.abort(grpc.StatusCode.UNIMPLEMENTED, f"there is no {method} here")
            _let_end(self._answering)
            return response

        # To gRPC it is one of streams: those begin before their message is there.
        make = (
            grpc.stream_stream_rpc_method_handler
            if handler.response_streaming
            else grpc.stream_unary_rpc_method_handler
        )
        return make(read_and_answer, read, handler.response_serializer)

    def _limited(self, method: str, handler: Any) -> Handler:
        async def answer(requests: object, context: Context) -> None:
            self._overload.awaits_message(context)
            try:
                async with asyncio.timeout(self._max_upload_seconds):
                    async for response in handler.stream_stream(requests, context):
                        await context.write(response)
            except DecodeError:
                await self._calls.refuse(method, InvalidRequestError(_NO_MESSAGE), context)
            except TimeoutError:
                late = f"such a stream ends after {self._max_upload_seconds:g} seconds"
                await self._calls.refuse(method, DeadlineExpiredError(late), context)
            except asyncio.CancelledError:
                if error := self._gave_way(_this_task()):
                    return await self._calls.refuse(method, error, context)
                raise

        return grpc.stream_stream_rpc_method_handler(
            answer, handler.request_deserializer, handler.response_serializer
        )

    async def _read_within(self, reading: TimeLimit, context: Context) -> Any:
        task = _this_task()
        reading.begin(task)
        self._overload.awaits_message(context)
        try:
            return await read_message(context)
        except asyncio.CancelledError:
            if error := self._gave_way(task):
                raise error from None
            if reading.is_over(task) and not task.uncancel():  # by nobody else
                late = f"the message was not there after {reading.seconds:g} seconds"
                raise DeadlineExpiredError(late) from None
            raise
        finally:
            reading.end(task)

    def _gave_way(self, task: asyncio.Task[Any]) -> QueueFullError | None:
        error = self._overload.why_it_gave_way(task)
        return error if error and not task.uncancel() else None


def _let_end(answering: TimeLimit) -> None:
    """Ends the task of the call that is being answered, if gRPC has not sent the answer in time.

    gRPC holds the answer, and goes on sending it; everything else that the call has is let go.
    """
    task = _this_task()
    answering.begin(task)
    task.add_done_callback(answering.end)


def _this_task() -> asyncio.Task[Any]:
    return cast("asyncio.Task[Any]", asyncio.current_task())


def _tolerant(read: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    def read_or_mark(data: bytes) -> Any:
        try:
            return read(data)
        except DecodeError:
            return _UNREADABLE

    return read_or_mark
