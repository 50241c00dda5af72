"""The calls of a client for asyncio, the same as ``sfumato.client.calls`` with ``await``."""

# ruff: noqa: ASYNC109 - a deadline of gRPC, which the server learns of too

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable
from contextlib import aclosing
from typing import Any, TypeVar
from weakref import WeakSet

import grpc
import grpc.aio
from google.protobuf.message import Message

from sfumato.client.frame_stream import AnyFrame, FrameSender, async_receive
from sfumato.client.frames import FrameAnswer
from sfumato.connection.call_errors import is_refusal, is_silence
from sfumato.connection.connection import HEALTH_METHOD, Connection, HealthRequest, HealthResponse
from sfumato.connection.inspection import Inspector, behind
from sfumato.connection.renewal import Renewal
from sfumato.connection.stream_ending import channel_closed, is_for_this_task
from sfumato.connection.targets import grpc_target
from sfumato.connection.waiting import SOON_SECONDS, Waiting
from sfumato.errors import ServiceError
from sfumato.v1.admin_service_pb2_grpc import AdminServiceStub
from sfumato.v1.stylization_service_pb2_grpc import StylizationServiceStub

_Response = TypeVar("_Response")


class AsyncLine:
    """A channel and what can be called over it."""

    def __init__(self, connection: Connection, target: str, *, streams: bool = False) -> None:
        """Opens the channel, which connects at the first call; see ``Line``."""
        self.opened = time.monotonic()
        options = connection.channel_options(streams=streams)
        if connection.credentials is None:
            self.channel = grpc.aio.insecure_channel(target, options)
        else:
            self.channel = grpc.aio.secure_channel(target, connection.credentials, options)
        self.painting = StylizationServiceStub(self.channel)
        self.admin = AdminServiceStub(self.channel)
        self.health = self.channel.unary_unary(
            HEALTH_METHOD, HealthRequest.SerializeToString, HealthResponse.FromString
        )


class AsyncCalls:
    """Makes the calls of one client."""

    def __init__(self, connection: Connection) -> None:
        """Opens channels, which connect at the first call."""
        self._connection = connection
        target = grpc_target(connection.target)  # once, because it may wait for a look-up
        self._lines = Renewal(lambda: AsyncLine(connection, target))
        self._stream_lines = Renewal(lambda: AsyncLine(connection, target, streams=True))
        self._inspector = Inspector(connection)
        self._waiting = Waiting(connection)
        self._streams: WeakSet[grpc.aio.Call] = WeakSet()

    async def unary(
        self,
        method: Callable[[AsyncLine], "grpc.aio.UnaryUnaryMultiCallable[Any, _Response]"],
        request: Message,
        timeout: float | None,
        *,
        repeatable: bool = True,
    ) -> _Response:
        """Makes a call of one request and one answer; see ``Calls.unary``."""
        seconds = self._connection.timeout if timeout is None else timeout
        self._connection.check_size(request)
        end = time.monotonic() + seconds
        while True:
            line = self._lines.begin()
            call = method(line)(
                request,
                timeout=end - time.monotonic(),
                metadata=self._connection.metadata,
                wait_for_ready=self._connection.wait_for_ready,
            )
            leave = call.cancel if repeatable else _go_on
            watch = asyncio.create_task(self._watch(self._lines, line, seconds, leave))
            try:
                answer = await call
            except grpc.aio.AioRpcError as error:
                raise await self._explain(self._lines, line, error, seconds) from error
            except asyncio.CancelledError as cancelled:
                if is_for_this_task():
                    raise
                left = repeatable and watch.done() and not self._lines.closed
                if left:  # a server that hangs
                    continue
                raise self._connection.error(channel_closed(), seconds) from cancelled
            finally:
                watch.cancel()
                await self._end(self._lines, line)
            self._waiting.answered()
            return answer

    async def stream(
        self,
        sender: FrameSender,
        frames: AsyncIterable[AnyFrame] | Iterable[AnyFrame],
        timeout: float | None,
    ) -> AsyncGenerator[FrameAnswer, None]:
        """Makes a stream and yields its answers; see ``Client.stylize_stream``."""
        lines, seconds = self._stream_lines, timeout or 0.0
        line = lines.begin()
        watch = asyncio.create_task(self._watch(lines, line, seconds, _go_on))

        def open_call() -> grpc.aio.Call:
            call = line.painting.StylizeStream(
                timeout=timeout,
                metadata=self._connection.metadata,
                wait_for_ready=self._connection.wait_for_ready and timeout is not None,
            )
            self._streams.add(call)
            return call

        async def explain(error: grpc.RpcError, *, answered: bool) -> ServiceError:
            return await self._explain(lines, line, error, seconds, answered=answered)

        try:
            async with aclosing(async_receive(open_call, sender, frames, explain)) as answers:
                async for answer in answers:
                    watch.cancel()
                    self._waiting.answered()
                    yield answer
        finally:
            watch.cancel()
            await self._end(lines, line)

    async def close(self) -> None:
        """Closes all channels; running calls are cancelled."""
        for call in list(self._streams):
            call.cancel()  # grpcio 1.81 forgets those that have been answered
        for line in self._lines.close() | self._stream_lines.close():
            await line.channel.close()

    async def _watch(
        self,
        lines: Renewal[AsyncLine],
        line: AsyncLine,
        seconds: float,
        leave: Callable[[], object],
    ) -> None:
        """Watches a call; to be cancelled at its first answer. See ``Calls``.

        It ends by itself when the call may be with a server that hangs, and calls ``leave`` then.
        """
        while True:
            await asyncio.sleep(SOON_SECONDS)
            if self._inspector.found_hanging(line.opened):
                lines.renew(line)
                leave()
                return
            if self._inspector.is_due():
                error = await asyncio.to_thread(self._inspector.inspect)
                self._waiting.learn(error, seconds)

    async def _explain(
        self,
        lines: Renewal[AsyncLine],
        line: AsyncLine,
        error: Any,
        seconds: float,
        *,
        answered: bool = False,
    ) -> ServiceError:
        if is_silence(error):
            lines.renew(line)
        if is_refusal(error):
            error = await asyncio.to_thread(behind, error, self._connection)
        obstacle = self._waiting.obstacle
        return self._connection.error(error, seconds, answered=answered, obstacle=obstacle)

    @staticmethod
    async def _end(lines: Renewal[AsyncLine], line: AsyncLine) -> None:
        if lines.end(line):
            await line.channel.close()


def _go_on() -> None:
    """Lets a call wait that must not be made twice."""
