"""Painting many photos with several of them on the way at the same time."""

import asyncio
from collections.abc import Awaitable, Callable, Generator, Iterable

import grpc

from sfumato.cli.painting_plan import Painting
from sfumato.errors import ImageError, ServiceError

# After these the next photo would fare no better.
_FATAL = frozenset(
    {
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.UNIMPLEMENTED,
    }
)


async def paint_all(
    paintings: Iterable[Painting],
    paint: Callable[[Painting], Awaitable[None]],
    *,
    jobs: int,
    on_done: Callable[[Painting, Exception | None], None],
) -> None:
    """Paints photos, each when one of the jobs is free; memory is bounded by their number.

    Args:
        paintings: what to paint.
        paint: paints one photo and writes it.
        jobs: the most photos that are on the way at the same time.
        on_done: called for each photo, with the error if there was one.

    Raises:
        SfumatoError: an error after which no photo can be painted, such as no server; the photos
            that are on the way are waited for before.
    """
    waiting = (painting for painting in paintings)  # shared: each worker takes the next
    workers = [_work(waiting, paint, on_done) for _ in range(jobs)]
    for end in await asyncio.gather(*workers, return_exceptions=True):
        if end is not None:
            raise end


async def _work(
    waiting: Generator[Painting, None, None],
    paint: Callable[[Painting], Awaitable[None]],
    on_done: Callable[[Painting, Exception | None], None],
) -> None:
    try:
        for painting in waiting:
            on_done(painting, await _failure_of(paint(painting)))
    finally:
        waiting.close()  # nobody begins another photo; a server that stops ends those it has


async def _failure_of(work: Awaitable[None]) -> Exception | None:
    try:
        await work
    except ServiceError as error:
        if error.code in _FATAL:
            raise
        return error
    except (ImageError, OSError) as error:
        return error
    return None
