"""Reads a stream ahead of its answers, until the client ends it or the server closes."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from serving.admission import Admission


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


def retrieve(future: "asyncio.Future[Any]") -> None:
    """Looks at how something ended that may be given up in the moment in which it fails.

    asyncio would call that an error that nobody has seen, with a traceback in the log.
    """
    if not future.cancelled():
        future.exception()


async def _stop_at_closing_time(reading: asyncio.Task[None], admission: Admission) -> None:
    await admission.closing()
    reading.cancel()
