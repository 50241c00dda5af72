import asyncio
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from serving.errors import OutOfMemoryError
from tests.serving.photos import decode, draw, encode
from tests.serving.running import PATIENCE, connected, order, refused, running, until, until_inside

WAITING = {"max_batch_size": 64, "max_batch_delay_ms": 60_000}
"""Settings with which every photo waits until the server stops or the call ends."""


async def test_a_full_server_refuses_and_says_so(models: Path) -> None:
    photo = encode(draw())
    async with running(models, max_queue_size=1, **WAITING) as server, connected(server) as stub:
        inside = stub.Stylize(order(photo), timeout=PATIENCE)
        await until_inside(server, 1)
        status, message = await refused(stub, order(photo))
        assert status is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "full: 1 requests" in message
        inside.cancel()
        await until_inside(server, 0)


async def test_a_refused_photo_costs_no_decoding(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = encode(draw())
    async with running(models, max_queue_size=1, **WAITING) as server, connected(server) as stub:
        inside = stub.Stylize(order(photo), timeout=PATIENCE)
        await until(lambda: server._batcher.waiting == 1)  # it has been decoded
        monkeypatch.delattr("serving.painting.stylizer.decode_photo")
        status, _ = await refused(stub, order(photo))
        assert status is grpc.StatusCode.RESOURCE_EXHAUSTED
        inside.cancel()
        await until_inside(server, 0)


async def test_a_cancelled_call_makes_room_for_the_next(models: Path) -> None:
    photo = encode(draw())
    async with running(models, max_queue_size=1, **WAITING) as server, connected(server) as stub:
        gone = stub.Stylize(order(photo), timeout=PATIENCE)
        await until_inside(server, 1)
        gone.cancel()
        await until_inside(server, 0)
        next_one = stub.Stylize(order(photo), timeout=PATIENCE)
        await until_inside(server, 1)
        await server.stop()  # nobody has to wait for a batch any more
        assert (await next_one).timings.batch_size == 1


async def test_a_call_whose_deadline_passes_leaves_the_server(models: Path) -> None:
    async with running(models, **WAITING) as server, connected(server) as stub:
        with pytest.raises(grpc.aio.AioRpcError) as late:
            await stub.Stylize(order(encode(draw())), timeout=0.2)
        assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        await until_inside(server, 0)


async def test_many_clients_with_many_sizes_each_get_their_own_photo(models: Path) -> None:
    photos = [draw(16 + seed % 5, 16 + seed % 3, seed) for seed in range(60)]

    async def paint(stub: Any, photo: Any) -> None:
        answer = await stub.Stylize(order(encode(photo)), timeout=PATIENCE)
        np.testing.assert_array_equal(decode(answer.image), photo)

    settings = {"max_batch_size": 4, "max_batch_delay_ms": 1.0}
    async with running(models, **settings) as server, connected(server) as stub:
        await asyncio.gather(*(paint(stub, photo) for photo in photos))
        await until_inside(server, 0)


async def test_a_failing_network_is_an_internal_error_and_serving_goes_on(
    stub: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no memory")

    photo = order(encode(draw()))
    with monkeypatch.context() as broken:
        broken.setattr("serving.device.session.OnnxSession.run", fail)
        assert await refused(stub, photo) == (
            grpc.StatusCode.INTERNAL,
            "the network failed on this batch: no memory",
        )
    assert (await stub.Stylize(photo)).width == 40


async def test_a_lack_of_memory_is_not_the_clients_mistake_but_a_smaller_photo_may_do(
    stub: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OutOfMemoryError("too little")

    monkeypatch.setattr("serving.device.session.OnnxSession.run", fail)
    refusal = await refused(stub, order(encode(draw())))
    assert refusal == (grpc.StatusCode.RESOURCE_EXHAUSTED, "too little")


@pytest.mark.parametrize("stage", ["decode", "encode"])
async def test_a_lack_of_memory_for_a_file_is_not_the_clients_mistake_either(
    stub: Any, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise MemoryError

    with monkeypatch.context() as full:
        full.setattr(f"serving.painting.stylizer.{stage}_photo", fail)
        assert await refused(stub, order(encode(draw()))) == (
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            f"the server has not enough memory to {stage} the photo; send a smaller one",
        )
    assert (await stub.Stylize(order(encode(draw())))).width == 40


async def test_an_unexpected_error_tells_the_log_but_not_the_client(
    stub: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr("serving.painting.stylizer.encode_photo", fail)
    status, message = await refused(stub, order(encode(draw())))
    assert status is grpc.StatusCode.INTERNAL
    assert "secret" not in message
    assert "secret" in caplog.text
