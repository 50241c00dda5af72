import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from serving.server import Server
from serving.wire.infer_stream import WINDOW
from sfumato.inference.open_inference_pb2_grpc import GRPCInferenceServiceStub
from tests.serving.photos import draw
from tests.serving.running import PATIENCE, running, until, until_inside
from tests.serving.tensors import infer_request, inferring, pixels_of
from tests.serving.tiny_network import paint

WAITING = {"max_batch_size": 64, "max_batch_delay_ms": 60_000}


def numbered(number: int, style: str = "dark", side: int = 16) -> Any:
    """Makes a request whose photo and id tell which it is."""
    photo = draw(side, 16 + number % 3, seed=number)
    return infer_request({"image": photo[None]}, style=style, id=str(number))


def assert_painted(answer: Any, number: int) -> None:
    assert answer.error_message == ""
    assert answer.infer_response.id == str(number)
    photo = draw(16, 16 + number % 3, seed=number)
    np.testing.assert_array_equal(pixels_of(answer.infer_response)[0], paint(photo, 0.5, 0.0))


async def every(requests: list[Any]) -> AsyncIterator[Any]:
    for request in requests:
        yield request


async def test_answers_come_in_the_order_of_the_requests(models: Path) -> None:
    requests = [numbered(number) for number in range(30)]
    async with running(models, max_batch_size=4) as server, inferring(server) as tensors:
        answers = [answer async for answer in tensors.ModelStreamInfer(every(requests))]
        await until_inside(server, 0)
    assert len(answers) == 30
    for number, answer in enumerate(answers):
        assert_painted(answer, number)


async def test_each_answer_says_that_it_is_the_only_one(models: Path) -> None:
    async with running(models) as server, inferring(server) as tensors:
        answers = [answer async for answer in tensors.ModelStreamInfer(every([numbered(1)]))]
    (answer,) = answers
    assert answer.infer_response.parameters["triton_final_response"].bool_param


async def test_a_bad_request_is_told_and_the_stream_goes_on(models: Path) -> None:
    requests = [numbered(0), numbered(1, style="drak"), numbered(2)]
    async with running(models) as server, inferring(server) as tensors:
        first, bad, last = [answer async for answer in tensors.ModelStreamInfer(every(requests))]
        await until_inside(server, 0)
    assert_painted(first, 0)
    assert "did you mean 'dark'?" in bad.error_message
    assert bad.infer_response.id == "1"
    assert not bad.infer_response.outputs
    assert_painted(last, 2)


async def test_a_client_that_takes_no_answers_does_not_keep_its_places(models: Path) -> None:
    narrow = [("grpc.http2.bdp_probe", 0)]
    async with (
        running(models, max_download_seconds=1) as server,
        grpc.aio.insecure_channel(server.address, options=narrow) as channel,
    ):
        stream = GRPCInferenceServiceStub(channel).ModelStreamInfer(timeout=PATIENCE)
        for number in range(2):
            await stream.write(numbered(number, side=4000))  # more than HTTP/2 takes here
        await until_inside(server, 2)
        await until_inside(server, 0)
        with pytest.raises(grpc.aio.AioRpcError, match="an answer was not taken within 1 seconds"):
            [await stream.read() for _ in range(2)]


async def test_no_more_is_read_than_fits_into_the_window(models: Path) -> None:
    async with running(models, **WAITING) as server, inferring(server) as tensors:
        stream = tensors.ModelStreamInfer(timeout=PATIENCE)
        for number in range(WINDOW + 3):
            await stream.write(numbered(number))
        await until_inside(server, WINDOW)
        await asyncio.sleep(0.1)  # for requests that come in although they should not
        assert server._admission.inside == WINDOW
        stream.cancel()
        await until_inside(server, 0)


async def test_a_client_that_reads_no_answers_stops_the_reading(models: Path) -> None:
    request = numbered(1, side=40_000)  # 2 MB; HTTP/2 takes some of them in advance
    async with running(models) as server, inferring(server) as tensors:
        written = 0

        async def write(stream: Any) -> None:
            nonlocal written
            while True:
                await stream.write(request)
                written += 1

        stream = tensors.ModelStreamInfer(timeout=PATIENCE)
        writing = asyncio.create_task(write(stream))
        seen = -1
        async with asyncio.timeout(PATIENCE):
            while written != seen:
                seen = written
                await asyncio.sleep(0.5)
        assert server._admission.inside <= WINDOW
        stream.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        await until_inside(server, 0)


async def test_a_cancelled_stream_leaves_nothing_behind(models: Path) -> None:
    async with running(models, **WAITING) as server, inferring(server) as tensors:
        stream = tensors.ModelStreamInfer(timeout=PATIENCE)
        await stream.write(numbered(1))
        await until_inside(server, 1)
        stream.cancel()
        await until_inside(server, 0)
        assert server._batcher.waiting == 0


async def test_a_deadline_ends_a_stream_and_leaves_nothing_behind(
    models: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "serving.monitoring.access_log")
    async with running(models, **WAITING) as server, inferring(server) as tensors:
        stream = tensors.ModelStreamInfer(timeout=1.0)
        await stream.write(numbered(1))
        with pytest.raises(grpc.aio.AioRpcError) as late:
            await stream.read()
        assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        await until_inside(server, 0)
        await until(lambda: "ModelStreamInfer status=DEADLINE_EXCEEDED ms=" in caplog.text)


async def test_a_stopping_server_answers_what_came_in_and_ends_the_stream(models: Path) -> None:
    server: Server
    async with running(models, **WAITING) as server, inferring(server) as tensors:
        stream = tensors.ModelStreamInfer(timeout=PATIENCE)
        for number in range(2):
            await stream.write(numbered(number))
        await until_inside(server, 2)
        stopping = asyncio.create_task(server.stop())
        for number in range(2):
            assert_painted(await stream.read(), number)
        with pytest.raises(grpc.aio.AioRpcError) as end:
            await stream.read()
        assert end.value.code() is grpc.StatusCode.UNAVAILABLE
        assert "shutting down" in (end.value.details() or "")
        assert await stopping


async def test_an_idle_stream_does_not_keep_the_server_from_stopping(models: Path) -> None:
    async with running(models) as server, inferring(server) as tensors:
        stream = tensors.ModelStreamInfer(timeout=PATIENCE)
        await stream.write(numbered(0))
        assert_painted(await stream.read(), 0)
        assert await server.stop()
        with pytest.raises(grpc.aio.AioRpcError) as end:
            await stream.read()
        assert end.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_streams_per_client_are_bounded_for_both_protocols_together(models: Path) -> None:
    async with (
        running(models, max_streams_per_client=1) as server,
        inferring(server) as tensors,
    ):
        first = tensors.ModelStreamInfer(timeout=PATIENCE)
        await first.write(numbered(0))
        assert_painted(await first.read(), 0)
        second = tensors.ModelStreamInfer(timeout=PATIENCE)
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await second.read()
        assert refusal.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        await first.done_writing()
        assert await first.read() is grpc.aio.EOF
