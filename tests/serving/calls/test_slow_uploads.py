"""Calls whose message does not come: they take little, not for ever, and never health's place."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_reflection.v1alpha import reflection_pb2

from serving.security.tokens import Scope, make_token
from serving.server import Server
from sfumato.v1 import stylization_service_pb2 as pb
from sfumato.v1.stylization_service_pb2_grpc import StylizationServiceStub
from tests.serving.photos import draw, encode
from tests.serving.running import PATIENCE, health_of, order, outcome, running, until

STYLIZE = "/sfumato.v1.StylizationService/Stylize"
LIST = "/sfumato.v1.StylizationService/ListStyles"
REFLECT = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
FULL = grpc.StatusCode.RESOURCE_EXHAUSTED
PHOTO = encode(draw())


async def until_open(server: Server, calls: int) -> None:
    await until(lambda: len(server._overload._open) == calls)


@asynccontextmanager
async def stalled(server: Server, channel: Any, method: str) -> AsyncIterator[Any]:
    """A call that has begun and sends nothing."""

    async def nothing() -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    before = len(server._overload._open)
    call = channel.stream_unary(method)(nothing())
    await until_open(server, before + 1)
    try:
        yield call
    finally:
        call.cancel()


@asynccontextmanager
async def served(models: Path, **settings: Any) -> AsyncIterator[tuple[Server, Any]]:
    async with (
        running(models, **settings) as server,
        grpc.aio.insecure_channel(server.address) as channel,
    ):
        yield server, channel


def another_connection(server: Server) -> grpc.aio.Channel:
    own = [("grpc.use_local_subchannel_pool", 1)]  # not the connection of another channel
    return grpc.aio.insecure_channel(server.address, options=own)


async def status_of_photo(channel: grpc.aio.Channel) -> tuple[grpc.StatusCode, str]:
    call = StylizationServiceStub(channel).Stylize(order(PHOTO), timeout=PATIENCE)
    return await call.code(), await call.details()


async def test_no_more_photos_are_on_their_way_than_may_be_inside(models: Path) -> None:
    async with served(models, max_queue_size=2) as (server, channel):
        async with stalled(server, channel, STYLIZE), stalled(server, channel, STYLIZE):
            code, details = await status_of_photo(channel)
            assert code is FULL
            assert details.startswith("the server is full: 2 photos are on their way in")
            assert await health_of(channel) == "SERVING"
            await StylizationServiceStub(channel).ListStyles(pb.ListStylesRequest())
        await until_open(server, 0)
        assert (await status_of_photo(channel))[0] is grpc.StatusCode.OK


@pytest.mark.parametrize(("method", "places"), [(STYLIZE, 4), (LIST, 72), (REFLECT, 72)])
async def test_one_connection_that_takes_all_places_gives_one_to_another(
    models: Path, method: str, places: int
) -> None:
    async with served(models, max_queue_size=4) as (server, greedy):
        stalled = [greedy.stream_stream(method)() for _ in range(places)]
        await until_open(server, places)
        assert (await status_of_photo(greedy))[0] is FULL  # it would have even more
        async with another_connection(server) as channel:
            stub: Any = StylizationServiceStub(channel)
            for _ in range(2):
                assert (await status_of_photo(channel))[0] is grpc.StatusCode.OK
                assert (await stub.ListStyles(pb.ListStylesRequest())).styles
            await until(lambda: any(call.done() for call in stalled))
            loser = next(call for call in stalled if call.done())
            assert await loser.code() is FULL
            assert await loser.details() == (
                "the server is full: the call gave its place to a client that holds fewer, as its "
                "message was not there yet; try again later"
            )
            assert int(dict(await loser.trailing_metadata())["grpc-retry-pushback-ms"]) > 0
            stream = stub.StylizeStream(timeout=PATIENCE)
            await stream.write(pb.StylizeStreamRequest(frame=order(PHOTO)))
            assert (await stream.read()).HasField("painting")
            await stream.done_writing()
        assert sum(call.done() for call in stalled) <= 5  # and no more than had to


async def test_one_client_gains_nothing_by_many_connections(models: Path, tmp_path: Path) -> None:
    tokens = {name: make_token(name, [Scope.PAINT]) for name in ("greedy", "honest")}
    (tmp_path / "tokens").write_text("".join(f"{token.line()}\n" for _, token in tokens.values()))
    metadata = {name: (("authorization", f"Bearer {own}"),) for name, (own, _) in tokens.items()}
    async with (
        served(models, max_queue_size=4, token_file=tmp_path / "tokens") as (server, channel),
        AsyncExitStack() as connections,
    ):
        for _ in range(4):
            greedy = await connections.enter_async_context(another_connection(server))
            greedy.stream_stream(STYLIZE)(metadata=metadata["greedy"])
        await until_open(server, 4)
        code, _ = await outcome(
            StylizationServiceStub(channel).Stylize(order(PHOTO), metadata=metadata["honest"])
        )
        assert code is grpc.StatusCode.OK


async def test_who_is_refused_while_others_upload_is_told_when_to_come_again(models: Path) -> None:
    async with (
        served(models, max_queue_size=1) as (server, channel),
        stalled(server, channel, STYLIZE),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await StylizationServiceStub(channel).Stylize(order(PHOTO), timeout=PATIENCE)
    trailing = dict(refused.value.trailing_metadata())
    assert int(trailing["grpc-retry-pushback-ms"]) >= 10


async def test_health_answers_whatever_number_of_calls_is_open(models: Path) -> None:
    async with served(models, max_queue_size=1) as (server, channel):
        async with AsyncExitStack() as calls:
            for _ in range(66):  # two photos, and 64 more
                await calls.enter_async_context(stalled(server, channel, LIST))
            with pytest.raises(grpc.aio.AioRpcError, match="66 calls are open, its limit") as full:
                await StylizationServiceStub(channel).ListStyles(pb.ListStylesRequest())
            assert full.value.code() is FULL
            assert (await status_of_photo(channel))[0] is FULL
            assert await health_of(channel) == "SERVING"
        await until_open(server, 0)
        await StylizationServiceStub(channel).ListStyles(pb.ListStylesRequest())


@pytest.mark.parametrize("method", [STYLIZE, LIST])
async def test_a_message_that_does_not_come_in_time_is_given_up(
    models: Path, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "serving.monitoring.access_log")
    async with served(models, max_upload_seconds=1) as (server, channel):
        async with stalled(server, channel, method) as call:
            assert await call.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            assert await call.details() == "the message was not there after 1 seconds"
        await until_open(server, 0)
    [line] = [line for line in caplog.messages if "status=" in line]
    assert line.startswith(f"{method.rpartition('/')[2]} status=DEADLINE_EXCEEDED")


async def test_a_call_that_ends_without_a_message_is_no_call(
    models: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "serving.monitoring.access_log")

    async def nothing() -> AsyncIterator[bytes]:
        for _ in ():
            yield b""

    async with served(models) as (_, channel):
        call = channel.stream_unary(STYLIZE)(nothing(), timeout=PATIENCE)
        assert await call.code() is grpc.StatusCode.CANCELLED
        assert await call.details() == "the call ended without a message"
    assert caplog.messages == []


async def test_a_call_whose_message_came_may_take_longer(models: Path) -> None:
    slow = {"max_batch_size": 2, "max_batch_delay_ms": 1500}
    async with served(models, max_upload_seconds=1, **slow) as (_, channel):
        painting = asyncio.create_task(status_of_photo(channel))
        await asyncio.sleep(1.2)
        assert await health_of(channel) == "SERVING"
        assert (await painting)[0] is grpc.StatusCode.OK


async def test_a_stream_may_wait_as_long_as_it_likes_for_its_first_frame(models: Path) -> None:
    async with served(models, max_upload_seconds=1) as (_, channel):
        call = StylizationServiceStub(channel).StylizeStream(timeout=PATIENCE)
        await asyncio.sleep(1.2)
        assert await health_of(channel) == "SERVING"
        await call.write(pb.StylizeStreamRequest(frame=order(PHOTO)))
        assert (await call.read()).HasField("painting")
        await call.done_writing()


async def test_calls_that_are_over_are_forgotten(models: Path) -> None:
    async with served(models) as (server, channel):
        for _ in range(3):
            await status_of_photo(channel)
            with pytest.raises(grpc.aio.AioRpcError):
                await channel.unary_unary(LIST)(b"\xff")
        await until_open(server, 0)
        assert server._overload._coming == set()


async def test_a_health_call_waits_no_longer_than_others_for_its_message(models: Path) -> None:
    async with served(models, max_upload_seconds=1) as (_, channel):
        for method in ("Check", "Watch"):

            async def nothing() -> AsyncIterator[bytes]:
                await asyncio.Event().wait()
                yield b""

            call = channel.stream_stream(f"/grpc.health.v1.Health/{method}")(nothing())
            assert await call.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            assert await call.details() == "the message was not there after 1 seconds"


async def test_reflection_streams_end_and_do_not_keep_others_from_theirs(models: Path) -> None:
    """With the library's servicer for threads, forty idle ones took all threads there were."""
    request = reflection_pb2.ServerReflectionRequest(list_services="").SerializeToString()
    async with served(models, max_upload_seconds=2) as (server, channel):
        idle = [channel.stream_stream(REFLECT)() for _ in range(40)]
        await until_open(server, 40)
        asking = channel.stream_stream(REFLECT)()
        await asking.write(request)
        answer = reflection_pb2.ServerReflectionResponse.FromString(await asking.read())
        assert "sfumato.v1.StylizationService" in str(answer)
        for call in idle:
            assert await call.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert await idle[0].details() == "such a stream ends after 2 seconds"
        asking.cancel()
        await until_open(server, 0)
