"""Reads a stream ahead of its answers, until the client ends it or the server closes."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from serving.calls.admission import Admission
from serving.calls.given_up import retrieve


@asynccontextmanager
async def reading_ahead(
    read: Callable[[], Coroutine[Any, Any, None]], admission: Admission
) -> AsyncIterator[None]:
    """Runs ``read`` beside the block, which answers what it reads and is to end with it.

    Whatever ``read`` raises is raised when the block has ended.

    Raises:
        NotServingError: the server is closed, or closed meanwhile; the block has answered what
            had been read until then.
    """
    admission.check_open()
    reading = asyncio.create_task(read())
    reading.add_done_callback(retrieve)
    closing = asyncio.create_task(_stop_at_closing_time(reading, admission))
    try:
        yield
        await asyncio.wait([reading])
    finally:
        closing.cancel()
        reading.cancel()
    if reading.cancelled():
        admission.check_open()
    reading.result()


async def _stop_at_closing_time(reading: asyncio.Task[None], admission: Admission) -> None:
    await admission.closing()
    reading.cancel()
