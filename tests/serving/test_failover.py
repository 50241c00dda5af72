"""One of two servers dies; the client's own means keep every call from failing."""

import asyncio
import signal
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from sfumato.client.async_client import AsyncClient
from sfumato.v1.stylization_service_pb2_grpc import StylizationServiceStub
from tests.serving.photos import decode, draw, encode
from tests.serving.running import PATIENCE, ServerProcess, order, running


class Crowd:
    """Clients that paint one photo after the other until they are stopped."""

    def __init__(self, client: AsyncClient, size: int) -> None:
        self._client = client
        self._painted = asyncio.Semaphore(0)
        self._enough = asyncio.Event()
        self._all = asyncio.gather(*(self._paint(draw(300, 200, seed)) for seed in range(size)))

    async def _paint(self, photo: np.ndarray) -> None:
        while not self._enough.is_set():
            answer = await self._client.stylize(encode(photo), "plain")
            np.testing.assert_array_equal(decode(answer.image), photo)
            self._painted.release()

    async def painted(self, photos: int) -> None:
        """Waits for so many more photos. Raises the error of a call that failed."""
        for _ in range(photos):
            while self._painted.locked():
                if self._all.done():
                    self._all.result()
                await asyncio.sleep(0.01)
            await self._painted.acquire()

    async def stopped(self) -> None:
        """Lets them finish. Raises the error of a call that failed."""
        self._enough.set()
        await self._all


@pytest.mark.parametrize("death", [signal.SIGKILL, signal.SIGTERM])
async def test_no_call_fails_when_one_of_two_servers_dies(
    models: Path, tmp_path: Path, death: signal.Signals
) -> None:
    folders = (tmp_path / "doomed", tmp_path / "other")
    for folder in folders:
        folder.mkdir()
    with ServerProcess(models, folders[0]) as doomed, ServerProcess(models, folders[1]) as other:
        async with AsyncClient(f"{doomed.address},{other.address}", timeout=PATIENCE) as client:
            crowd = Crowd(client, 4)
            await crowd.painted(40)
            doomed.send(death)
            await doomed.ended()
            await crowd.painted(40)
            await crowd.stopped()
        assert "Stylize " in doomed.log
        assert other.log.count("Stylize ") > 40


async def test_a_connection_that_has_grown_old_is_renewed_without_a_failed_call(
    models: Path,
) -> None:
    async with (
        running(models, max_connection_seconds=1.0) as server,
        grpc.aio.insecure_channel(server.address) as channel,
    ):
        stub: Any = StylizationServiceStub(channel)
        photo = order(encode(draw()))
        await stub.Stylize(photo, timeout=PATIENCE)
        ready = grpc.ChannelConnectivity.READY
        renewed = asyncio.create_task(channel.wait_for_state_change(ready))
        while not renewed.done():
            assert (await stub.Stylize(photo, timeout=PATIENCE)).width == 40
        assert (await stub.Stylize(photo, timeout=PATIENCE)).width == 40
