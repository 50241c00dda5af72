"""Sends frames and receives their answers, for the two clients."""

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Callable,
    Iterable,
    Iterator,
)
from contextlib import aclosing
from pathlib import Path
from typing import Any, Protocol

import grpc
import grpc.aio

from sfumato.client.frames import Frame, FrameAnswer, frame_answer, frame_message
from sfumato.connection.stream_ending import StreamEnding, channel_closed, is_for_this_task
from sfumato.errors import ServiceError, SfumatoError
from sfumato.v1 import stylization_service_pb2 as pb

AnyFrame = Frame | bytes | str | Path


class Explain(Protocol):
    """Turns gRPC's error into ours; knows whether frames were answered."""

    def __call__(self, error: grpc.RpcError, *, answered: bool) -> ServiceError:
        """Gives our error."""


class AsyncExplain(Protocol):
    """Does the same as ``Explain``, with ``await``."""

    async def __call__(self, error: grpc.RpcError, *, answered: bool) -> ServiceError:
        """Gives our error."""


class FrameSender:
    """The messages of a stream, made of what a program gives as frames.

    Messages are taken on gRPC's own thread or task, which would swallow an error. So an error ends
    the stream, the frames before it are answered, and ``check`` raises it.
    """

    def __init__(self, opening: pb.StylizeStreamRequest) -> None:
        """Begins with ``opening``."""
        self._opening = opening
        self._failure: BaseException | None = None

    def check(self) -> None:
        """Raises what making a frame has raised, if anything."""
        if self._failure is not None:
            raise self._failure

    def messages(self, frames: Iterable[AnyFrame]) -> Iterator[pb.StylizeStreamRequest]:
        """Yields the messages."""
        yield self._opening
        try:
            for number, frame in enumerate(frames):
                yield frame_message(number, frame)
        except GeneratorExit:  # the stream is over
            raise
        except BaseException as error:  # a SystemExit, too, would end the thread, not the stream
            self._failure = error

    async def send(self, call: Any, frames: AsyncIterable[AnyFrame] | Iterable[AnyFrame]) -> None:
        """Sends the messages through a call of asyncio; files are read in a thread."""
        async with aclosing(self._messages(frames)) as messages:
            try:
                async for message in messages:
                    await call.write(message)
                await call.done_writing()
            except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
                return  # the stream is over; whoever receives learns why

    async def _messages(
        self, frames: AsyncIterable[AnyFrame] | Iterable[AnyFrame]
    ) -> AsyncGenerator[pb.StylizeStreamRequest, None]:
        """Yields the messages. What a write raises does not come by here: it is no failure."""
        yield self._opening
        number = 0
        try:
            async for frame in _each(frames):
                yield await asyncio.to_thread(frame_message, number, frame)
                number += 1
        except Exception as error:
            self._failure = error
        except asyncio.CancelledError as error:
            if is_for_this_task():
                raise
            self._failure = SfumatoError("what gives the frames was cancelled")
            self._failure.__cause__ = error


def receive(call: Any, sender: FrameSender, explain: Explain) -> Iterator[FrameAnswer]:
    """Yields the answers of ``call``; ends it when nobody wants more."""
    answered = False
    try:
        for response in call:
            answered = True
            yield frame_answer(response)
    except grpc.RpcError as error:
        sender.check()
        raise explain(error, answered=answered) from error
    finally:
        call.cancel()
    sender.check()


async def async_receive(
    open_call: Callable[[], Any],
    sender: FrameSender,
    frames: AsyncIterable[AnyFrame] | Iterable[AnyFrame],
    explain: AsyncExplain,
) -> AsyncGenerator[FrameAnswer, None]:
    """Opens a call and yields its answers; ends it when nobody wants more.

    At the end nobody takes frames any more, so that the rest can go into another stream.
    """
    call = open_call()
    ending = StreamEnding(call)
    sending = asyncio.create_task(sender.send(call, frames))
    answered = False
    try:
        async for response in call:
            answered = True
            yield frame_answer(response)
    except grpc.aio.AioRpcError as raised:
        sender.check()
        error = await ending.error(raised)
        raise await explain(error, answered=answered) from error
    except asyncio.CancelledError as cancelled:
        if is_for_this_task():
            raise
        raise await explain(channel_closed(), answered=answered) from cancelled
    finally:
        call.cancel()
        sending.cancel()
        await asyncio.wait([sending])
    sender.check()


async def _each(frames: AsyncIterable[AnyFrame] | Iterable[AnyFrame]) -> AsyncIterator[AnyFrame]:
    if isinstance(frames, AsyncIterable):
        async for frame in frames:
            yield frame
    else:
        for frame in frames:
            yield frame
