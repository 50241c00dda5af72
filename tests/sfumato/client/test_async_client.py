"""The client for asyncio, against the same server."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import numpy as np
import pytest

from sfumato.client.async_client import AsyncClient
from sfumato.errors import ImageError, ServiceError, StyleError
from sfumato.images.codec import decode_photo
from tests.serving.running import PATIENCE, until
from tests.sfumato.conftest import RunningServer
from tests.sfumato.image_files import encode, picture

RGB = picture()
PNG = encode(RGB, "PNG")


async def test_a_photo_is_painted(server: RunningServer, tmp_path: Path) -> None:
    path = tmp_path / "in.png"
    path.write_bytes(PNG)
    async with AsyncClient(server.target) as client:
        for image in (PNG, path, str(path)):
            painted = await client.stylize(
                image,
                {"a": 1, "munch-scream": 3},
                strength=0.5,
                version=9,
            )
            assert np.array_equal(decode_photo(painted.image).rgb, 255 - RGB)
            assert painted.version == 9
    weights = [style.weight for style in server.servicer.requests[0].styles]
    assert weights == [0.25, 0.75]
    assert server.servicer.requests[0].strength == 0.5


async def test_styles_and_health_are_asked(server: RunningServer) -> None:
    async with AsyncClient(server.target) as client:
        assert [style.id for style in await client.list_styles()] == ["munch-scream", "a"]
        assert await client.health() is True


async def test_many_photos_are_on_the_way_at_once(server: RunningServer) -> None:
    server.servicer.delay = 0.2
    async with AsyncClient(server.target) as client:
        await asyncio.gather(*(client.stylize(PNG, "a") for _ in range(8)))
    assert server.servicer.most_at_once == 8


async def test_a_call_is_sent_again_while_the_server_is_unavailable(server: RunningServer) -> None:
    server.servicer.failures = [(grpc.StatusCode.UNAVAILABLE, "draining")] * 2
    async with AsyncClient(server.target) as client:
        assert (await client.stylize(PNG, "a")).width == 48
    assert len(server.servicer.requests) == 3


async def test_without_a_server_the_error_says_how_to_start_one(free_target: str) -> None:
    async with AsyncClient(free_target, wait_for_ready=False) as client:
        with pytest.raises(ServiceError, match=f"no server at {free_target} .start one") as error:
            await client.stylize(PNG, "a")
    assert error.value.code is grpc.StatusCode.UNAVAILABLE


async def test_waiting_for_a_server_ends_at_the_deadline(free_target: str) -> None:
    async with AsyncClient(free_target) as client:
        with pytest.raises(ServiceError, match=r"within 0\.3 s; .* check that a server is there"):
            await client.stylize(PNG, "a", timeout=0.3)


async def test_a_slow_server_fails_at_the_deadline(server: RunningServer) -> None:
    server.servicer.delay = 1.0
    async with AsyncClient(server.target) as client:
        with pytest.raises(ServiceError, match=r"no answer .* within 0\.2 s"):
            await client.stylize(PNG, "a", timeout=0.2)


async def test_what_cannot_be_painted_is_refused_before_it_is_sent(
    server: RunningServer, tmp_path: Path
) -> None:
    async with AsyncClient(server.target) as client:
        with pytest.raises(StyleError):
            await client.stylize(PNG, {})
        with pytest.raises(StyleError, match="from 0, the photo"):
            await client.stylize(PNG, "a", strength=-1)
        with pytest.raises(ImageError):
            await client.stylize(tmp_path, "a")
    assert server.servicer.requests == []


async def test_closing_the_client_ends_a_running_call_and_no_task(server: RunningServer) -> None:
    """grpc.aio cancels whoever waits, which a task group would take for no error at all."""
    server.servicer.delay = 1.0
    client = AsyncClient(server.target)
    photo = asyncio.create_task(client.stylize(PNG, "a"))
    frame = asyncio.ensure_future(anext(client.stylize_stream([PNG], "a", timeout=PATIENCE)))
    requests = server.servicer.requests
    await until(lambda: len(requests) == 2 or photo.done() or frame.done())
    await client.close()
    for call in (photo, frame):
        with pytest.raises(ServiceError, match="the client was closed before") as error:
            await call
        assert error.value.code is grpc.StatusCode.CANCELLED


async def test_closing_the_client_ends_a_stream_that_was_answered(server: RunningServer) -> None:
    async def frames() -> AsyncIterator[bytes]:
        yield PNG
        await asyncio.sleep(60)

    client = AsyncClient(server.target)
    answers = client.stylize_stream(frames(), "a")
    await anext(answers)
    getattr(
        client._calls._lines._current.channel, "_active_calls", set()
    ).clear()  # as if it were grpcio 1.81
    await client.close()
    with pytest.raises(ServiceError, match="the client was closed before"):
        await asyncio.wait_for(anext(answers), 10)


async def test_a_call_that_is_cancelled_is_cancelled_on_the_way(server: RunningServer) -> None:
    server.servicer.delay = 1.0
    async with AsyncClient(server.target) as client:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await client.stylize(PNG, "a")
