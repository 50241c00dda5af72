"""The calls of a client for asyncio, the same as ``sfumato.calls`` with ``await``."""

# ruff: noqa: ASYNC109 - a deadline of gRPC, which the server learns of too

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable
from contextlib import aclosing
from typing import Any, TypeVar
from weakref import WeakSet

import grpc
import grpc.aio
from google.protobuf.message import Message

from sfumato.call_errors import is_silence
from sfumato.cancellation import channel_closed, is_for_this_task
from sfumato.connection import HEALTH_METHOD, Connection, HealthRequest, HealthResponse
from sfumato.errors import ServiceError
from sfumato.frame_stream import AnyFrame, FrameSender, async_receive
from sfumato.frames import FrameAnswer
from sfumato.hidden_failure import behind, may_hide
from sfumato.line import LIVE_METHOD, LIVE_REQUEST
from sfumato.renewal import SILENT_SECONDS, Renewal
from sfumato.targets import grpc_target
from sfumato.v1.admin_service_pb2_grpc import AdminServiceStub
from sfumato.v1.stylization_service_pb2_grpc import StylizationServiceStub
from sfumato.waiting import SOON_SECONDS, Waiting

_Response = TypeVar("_Response")


class AsyncLine:
    """A channel and what can be called over it."""

    def __init__(self, connection: Connection, target: str) -> None:
        """Opens the channel, which connects at the first call; see ``Line``."""
        options = connection.channel_options()
        if connection.credentials is None:
            self.channel = grpc.aio.insecure_channel(target, options)
        else:
            self.channel = grpc.aio.secure_channel(target, connection.credentials, options)
        self.painting = StylizationServiceStub(self.channel)
        self.admin = AdminServiceStub(self.channel)
        self.health = self.channel.unary_unary(
            HEALTH_METHOD, HealthRequest.SerializeToString, HealthResponse.FromString
        )
        self.live: Any = self.channel.unary_unary(LIVE_METHOD)


class AsyncCalls:
    """Makes the calls of one client."""

    def __init__(self, connection: Connection) -> None:
        """Opens a channel."""
        self._connection = connection
        target = grpc_target(connection.target)  # once, because it may wait for a look-up
        self._lines = Renewal(lambda: AsyncLine(connection, target))
        self._waiting = Waiting(connection)
        self._streams: WeakSet[grpc.aio.Call] = WeakSet()

    async def unary(
        self,
        method: Callable[[AsyncLine], "grpc.aio.UnaryUnaryMultiCallable[Any, _Response]"],
        request: Message,
        timeout: float | None,
    ) -> _Response:
        """Makes a call of one request and one answer. Raises ServiceError."""
        seconds = self._connection.timeout if timeout is None else timeout
        self._connection.check_size(request)
        line = self._lines.begin()
        watch = asyncio.create_task(self._watch(line, seconds))
        try:
            answer = await method(line)(
                request,
                timeout=seconds,
                metadata=self._connection.metadata,
                wait_for_ready=self._connection.wait_for_ready,
            )
        except grpc.aio.AioRpcError as error:
            raise await self._explain(line, error, seconds) from error
        except asyncio.CancelledError as cancelled:
            if is_for_this_task():
                raise
            raise self._connection.error(channel_closed(), seconds) from cancelled
        finally:
            watch.cancel()
            await self._end(line)
        self._waiting.answered()
        return answer

    async def stream(
        self,
        sender: FrameSender,
        frames: AsyncIterable[AnyFrame] | Iterable[AnyFrame],
        timeout: float | None,
    ) -> AsyncGenerator[FrameAnswer, None]:
        """Makes a stream and yields its answers; see ``Client.stylize_stream``."""
        seconds = timeout or 0.0
        line = self._lines.begin()
        watch = asyncio.create_task(self._watch(line, seconds))

        def open_call() -> grpc.aio.Call:
            call = line.painting.StylizeStream(
                timeout=timeout,
                metadata=self._connection.metadata,
                wait_for_ready=self._connection.wait_for_ready and timeout is not None,
            )
            self._streams.add(call)
            return call

        async def explain(error: grpc.RpcError, *, answered: bool) -> ServiceError:
            return await self._explain(line, error, seconds, answered=answered)

        try:
            async with aclosing(async_receive(open_call, sender, frames, explain)) as answers:
                async for answer in answers:
                    watch.cancel()
                    self._waiting.answered()
                    yield answer
        finally:
            watch.cancel()
            await self._end(line)

    async def close(self) -> None:
        """Closes all channels; running calls are cancelled."""
        for call in list(self._streams):
            call.cancel()  # grpcio 1.81 forgets those that have been answered
        for line in self._lines.close():
            await line.channel.close()

    async def _watch(self, line: AsyncLine, seconds: float) -> None:
        """Does what is to be done while a call has no answer; to be cancelled when it has."""
        await asyncio.sleep(SOON_SECONDS)
        metadata = self._connection.metadata
        try:
            await line.live(LIVE_REQUEST, timeout=SOON_SECONDS, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            hidden = await asyncio.to_thread(behind, error, self._connection)
            self._waiting.learn(hidden, seconds)
            if is_silence(error):
                self._lines.renew(line)
        await asyncio.sleep(SILENT_SECONDS - SOON_SECONDS)
        self._lines.renew(line)

    async def _explain(
        self, line: AsyncLine, error: Any, seconds: float, *, answered: bool = False
    ) -> ServiceError:
        if is_silence(error):
            self._lines.renew(line)
        if may_hide(error, self._connection.target):
            error = await asyncio.to_thread(behind, error, self._connection)
        obstacle = self._waiting.obstacle
        return self._connection.error(error, seconds, answered=answered, obstacle=obstacle)

    async def _end(self, line: AsyncLine) -> None:
        if self._lines.end(line):
            await line.channel.close()
