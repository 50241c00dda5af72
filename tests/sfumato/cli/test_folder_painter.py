"""Photos on the way at the same time, and what becomes of them when the server goes away."""

import asyncio
from pathlib import Path

import grpc
import pytest

from sfumato.cli.folder_painter import paint_all
from sfumato.cli.painting_plan import Painting
from sfumato.errors import ServiceError
from sfumato.images.image_format import ImageFormat

PAINTINGS = [Painting(Path(name), Path(name), ImageFormat.PNG) for name in "abcdef"]


class Work:
    """Photos that take as long as they are told; the first finds a server that stops."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.done: list[str] = []
        self.begin = asyncio.Barrier(3)
        self.go_on = asyncio.Event()

    async def paint(self, painting: Painting) -> None:
        self.begun.append(painting.photo.name)
        await self.begin.wait()
        if painting.photo.name == "a":
            raise ServiceError("draining", grpc.StatusCode.UNAVAILABLE)
        await self.go_on.wait()

    def on_done(self, painting: Painting, failure: Exception | None) -> None:
        assert failure is None
        self.done.append(painting.photo.name)


async def test_photos_on_the_way_are_waited_for_and_no_other_begins() -> None:
    work = Work()
    painting = asyncio.create_task(paint_all(PAINTINGS, work.paint, jobs=3, on_done=work.on_done))
    await asyncio.wait([painting], timeout=0.1)
    assert not painting.done()
    work.go_on.set()
    with pytest.raises(ServiceError, match="draining"):
        await painting
    assert (work.begun, sorted(work.done)) == (["a", "b", "c"], ["b", "c"])


async def test_ending_it_ends_the_photos_on_the_way() -> None:
    work = Work()
    painting = asyncio.create_task(paint_all(PAINTINGS, work.paint, jobs=3, on_done=work.on_done))
    await asyncio.wait([painting], timeout=0.1)
    painting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await painting
    assert work.done == []
