"""Clients that keep to HTTP/2 and mean harm: they hold up nobody else."""

import asyncio
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2

from serving.server import Server
from sfumato.v1 import stylization_service_pb2 as pb
from tests.serving.http2_frames import (
    DATA,
    HEADERS,
    INITIAL_WINDOW_SIZE,
    MAX_CONCURRENT_STREAMS,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    call,
    frame,
    raw_connection,
    read_settings,
)
from tests.serving.photos import draw, encode
from tests.serving.running import PATIENCE, connected, health_of, order, running, until_inside

STYLIZE = "/sfumato.v1.StylizationService/Stylize"
CANCEL = (8).to_bytes(4, "big")
CLOSED = {INITIAL_WINDOW_SIZE: 0}
"""Settings of a client that takes no message."""
PHOTO = order(encode(draw()))


async def test_who_watches_and_takes_nothing_keeps_no_server_from_stopping(models: Path) -> None:
    async with running(models) as server, raw_connection(server.address, CLOSED) as client:
        watch = health_pb2.HealthCheckRequest().SerializeToString()
        await client.send(call(1, "/grpc.health.v1.Health/Watch", watch))
        await client.receive(HEADERS)  # these need no window; the first message does
        assert await asyncio.wait_for(server.stop(), PATIENCE)


async def test_an_answer_that_nobody_takes_loses_its_place_and_is_there_for_who_is_slow(
    models: Path,
) -> None:
    async with (
        running(models, max_queue_size=2, max_download_seconds=1) as server,
        raw_connection(server.address, CLOSED) as client,
        connected(server) as stub,
    ):
        await client.send(
            *(call(number, STYLIZE, PHOTO.SerializeToString()) for number in (1, 3)),
        )
        for _ in range(2):
            await client.receive(HEADERS)
        assert server._admission.inside == 2
        full = stub.Stylize(PHOTO, timeout=PATIENCE)
        assert await full.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        await until_inside(server, 0)
        assert (await stub.Stylize(PHOTO, timeout=PATIENCE)).width == 40
        wide = (1 << 20).to_bytes(4, "big")
        await client.send(frame(WINDOW_UPDATE, stream=3, payload=wide))
        answer = pb.StylizeResponse.FromString((await client.receive(DATA))[5:])
        assert answer.width == 40


async def test_a_connection_may_have_more_calls_open_than_are_let_in_but_not_any_number(
    models: Path,
) -> None:
    async with (
        running(models, max_queue_size=1) as server,
        raw_connection(server.address) as client,
    ):
        values = read_settings(await client.receive(SETTINGS))
    assert values[MAX_CONCURRENT_STREAMS] == 2 * 66  # 66 is two photos, and 64 more


async def test_a_connection_too_many_is_closed_and_those_before_it_stay(models: Path) -> None:
    async with (
        running(models, max_connections=2) as server,
        raw_connection(server.address) as first,
        connected(server) as stub,
    ):
        await first.receive(SETTINGS)
        assert (await stub.Stylize(PHOTO, timeout=PATIENCE)).width == 40
        async with raw_connection(server.address) as third:
            assert await third.reader.read() == b""
        assert (await stub.Stylize(PHOTO, timeout=PATIENCE)).width == 40
        first.writer.close()
        async with asyncio.timeout(PATIENCE):
            while not await is_let_in(server):  # noqa: ASYNC110 - nothing tells the event
                await asyncio.sleep(0.01)


async def is_let_in(server: Server) -> bool:
    async with raw_connection(server.address) as another:
        return await another.reader.read(1) != b""


async def test_calls_that_are_begun_and_reset_hold_up_no_other_connection(server: Server) -> None:
    """Without a limit of calls a connection, most of the health checks end as CANCELLED."""
    flood = [
        call(number, STYLIZE) + frame(RST_STREAM, stream=number, payload=CANCEL)
        for number in range(1, 12_000, 2)
    ]
    async with (
        raw_connection(server.address) as client,
        grpc.aio.insecure_channel(server.address) as channel,
    ):
        await client.send(*flood)
        for _ in range(20):
            assert await health_of(channel) == "SERVING"
