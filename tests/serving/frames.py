"""Streams of frames for tests: what is sent, and what came back."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any

import grpc

from serving.server import Server
from sfumato.v1 import stylization_service_pb2 as pb
from tests.serving.running import PATIENCE, until, until_inside

WAITING: dict[str, Any] = {"max_batch_size": 64, "max_batch_delay_ms": 60_000}
"""Settings with which every frame waits until the server stops or the stream ends."""


def frame(request: Any = None, frame_id: int = 0, **settings: Any) -> Any:
    """Makes one message of a stream; ``settings`` are those of the stream."""
    return pb.StylizeStreamRequest(
        settings=pb.StreamSettings(**settings) if settings else None,
        frame=request,
        frame_id=frame_id,
    )


def numbered(requests: Iterable[Any], **settings: Any) -> list[Any]:
    """Makes the messages of a stream, numbered from 0; the settings go with the first."""
    return [
        frame(request, number, **(settings if number == 0 else {}))
        for number, request in enumerate(requests)
    ]


async def sent(messages: Iterable[Any]) -> AsyncIterator[Any]:
    """Sends messages as fast as they are taken."""
    for message in messages:
        yield message


async def write(call: Any, messages: Iterable[Any]) -> None:
    """Sends messages through a call that takes them one by one."""
    for message in messages:
        await call.write(message)


async def read(call: Any, answers: int) -> list[Any]:
    """Reads so many answers."""
    async with asyncio.timeout(PATIENCE):
        return [await call.read() for _ in range(answers)]


async def answers_to(stub: Any, messages: Iterable[Any]) -> list[Any]:
    """Sends a whole stream; gives all answers."""
    return [answer async for answer in stub.StylizeStream(sent(messages), timeout=PATIENCE)]


def results(answers: Iterable[Any]) -> list[tuple[int, str]]:
    """Gives the number of each answer and what became of the frame."""
    return [(answer.frame_id, answer.WhichOneof("result")) for answer in answers]


async def status_of(call: Any) -> tuple[grpc.StatusCode, str]:
    """Waits for the end of a stream; gives its status and message."""
    return await call.code(), await call.details()


async def until_clean(server: Server) -> None:
    """Waits until nothing of any stream is left in the server."""
    await until_inside(server, 0)
    await until(lambda: not server._batcher.waiting)
