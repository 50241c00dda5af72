"""Bytes that are no message, at every method of ours."""

import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from sfumato.v1 import stylization_service_pb2 as pb
from tests.serving.frames import frame
from tests.serving.photos import draw, encode
from tests.serving.running import PATIENCE, order, running

INVALID = grpc.StatusCode.INVALID_ARGUMENT
UNARY = [
    "/sfumato.v1.StylizationService/Stylize",
    "/sfumato.v1.StylizationService/ListStyles",
    "/sfumato.v1.AdminService/AddStyle",
    "/inference.GRPCInferenceService/ModelInfer",
    "/inference.GRPCInferenceService/ModelReady",
    "/inference.GRPCInferenceService/RepositoryModelLoad",
]
STREAMS = [
    "/sfumato.v1.StylizationService/StylizeStream",
    "/inference.GRPCInferenceService/ModelStreamInfer",
]
GARBAGE = b"\xff\xff\xff\xff"  # a field number that does not end
WORDS = "not the message that this method takes"


@pytest.fixture
async def channel(models: Path) -> AsyncIterator[grpc.aio.Channel]:
    async with (
        running(models, admin=True) as server,
        grpc.aio.insecure_channel(server.address) as channel,
    ):
        yield channel


@pytest.mark.parametrize("method", UNARY)
async def test_a_call_with_garbage_is_invalid_and_leaves_no_traceback(
    channel: Any, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    call = channel.unary_unary(method)
    with caplog.at_level(logging.INFO), pytest.raises(grpc.aio.AioRpcError) as refused:
        await call(GARBAGE, timeout=PATIENCE, metadata=(("x-request-id", "garbage-1"),))
    assert refused.value.code() is INVALID
    assert WORDS in str(refused.value.details())
    assert ("x-request-id", "garbage-1") in tuple(refused.value.trailing_metadata())
    told = [record.getMessage() for record in caplog.records if "garbage-1" in record.getMessage()]
    assert len(told) == 1
    assert method.rpartition("/")[2] in told[0]
    assert not any(record.exc_info for record in caplog.records)
    assert not any(record.levelno > logging.INFO for record in caplog.records)


@pytest.mark.parametrize("method", STREAMS)
async def test_a_stream_with_garbage_is_invalid_and_leaves_no_traceback(
    channel: Any, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def garbage() -> AsyncIterator[bytes]:
        yield GARBAGE

    call = channel.stream_stream(method)(garbage(), timeout=PATIENCE)
    with caplog.at_level(logging.INFO), pytest.raises(grpc.aio.AioRpcError) as refused:
        await call.read()
    assert refused.value.code() is INVALID
    assert WORDS in str(refused.value.details())
    assert not any(record.exc_info for record in caplog.records)


async def test_frames_before_the_garbage_are_answered(channel: Any) -> None:
    async def messages() -> AsyncIterator[bytes]:
        for number in range(2):
            yield frame(order(encode(draw())), number).SerializeToString()
        yield GARBAGE

    call = channel.stream_stream(STREAMS[0])(messages(), timeout=PATIENCE)
    for number in range(2):
        answer = pb.StylizeStreamResponse.FromString(await call.read())
        assert (answer.frame_id, answer.WhichOneof("result")) == (number, "painting")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call.read()
    assert refused.value.code() is INVALID


async def test_health_reads_its_messages_as_carefully(channel: Any) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await channel.unary_unary("/grpc.health.v1.Health/Check")(GARBAGE, timeout=PATIENCE)
    assert refused.value.code() is INVALID
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await channel.unary_stream("/grpc.health.v1.Health/Watch")(GARBAGE, timeout=PATIENCE).read()
    assert refused.value.code() is INVALID


async def test_a_method_that_there_is_not_reads_nothing(channel: Any) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await channel.unary_unary("/sfumato.v1.Nothing/Here")(GARBAGE, timeout=PATIENCE)
    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED
