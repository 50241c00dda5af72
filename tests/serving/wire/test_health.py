import asyncio
import threading
from pathlib import Path
from typing import Any, cast

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from serving.config import ServerConfig
from serving.device.session import OnnxSession
from serving.server import Server
from serving.wire.health import HealthService
from sfumato.v1 import stylization_service_pb2 as pb
from sfumato.v1.stylization_service_pb2_grpc import StylizationServiceStub
from tests.serving.photos import draw, encode
from tests.serving.running import PATIENCE, health_of, order, refused

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SERVICES = ("", "sfumato.v1.StylizationService")


@pytest.mark.parametrize("service", SERVICES)
async def test_a_ready_server_is_healthy(server: Server, service: str) -> None:
    async with grpc.aio.insecure_channel(server.address) as channel:
        assert await health_of(channel, service) == "SERVING"


async def test_a_service_that_is_not_there_has_no_health(server: Server) -> None:
    async with grpc.aio.insecure_channel(server.address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as unknown:
            await health_of(channel, "sfumato.v1.NoService")
    assert unknown.value.code() is grpc.StatusCode.NOT_FOUND


async def test_until_the_models_are_warm_the_server_is_not_healthy_and_takes_nothing(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, warm = threading.Event(), threading.Event()

    paint = OnnxSession.run

    def run(*arguments: Any) -> Any:
        begun.set()
        assert warm.wait(PATIENCE)
        return paint(*arguments)

    monkeypatch.setattr(OnnxSession, "run", run)
    server = Server(ServerConfig(models=models, port=0, device="cpu"))
    starting = asyncio.create_task(server.start())
    assert await asyncio.to_thread(begun.wait, PATIENCE)
    async with grpc.aio.insecure_channel(server.address) as channel:
        stub: Any = StylizationServiceStub(channel)
        assert [await health_of(channel, service) for service in SERVICES] == ["NOT_SERVING"] * 2
        status, message = await refused(stub, order(encode(draw())))
        assert status is grpc.StatusCode.UNAVAILABLE
        assert "starting" in message
        with pytest.raises(grpc.aio.AioRpcError) as unlisted:
            await stub.ListStyles(pb.ListStylesRequest())
        assert unlisted.value.code() is grpc.StatusCode.UNAVAILABLE
        warm.set()
        await starting
        assert [await health_of(channel, service) for service in SERVICES] == ["SERVING"] * 2
    await server.stop()


async def test_who_watches_sees_the_server_stop(models: Path) -> None:
    server = Server(ServerConfig(models=models, port=0, device="cpu"))
    await server.start()
    async with grpc.aio.insecure_channel(server.address) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        watch = stub.Watch(health_pb2.HealthCheckRequest())
        assert (await watch.read()).status == SERVING
        stopping = asyncio.create_task(server.stop())
        assert (await watch.read()).status == NOT_SERVING
        assert await stopping


class Reader:
    """A client that takes no answer before it is told to."""

    def __init__(self) -> None:
        self.may_read = asyncio.Event()
        self.read: list[int] = []

    async def write(self, answer: health_pb2.HealthCheckResponse) -> None:
        await self.may_read.wait()
        self.read.append(answer.status)


async def test_who_watches_and_reads_nothing_holds_nobody_up() -> None:
    service, reader = HealthService(), Reader()
    service.set("", NOT_SERVING)
    watching = asyncio.create_task(
        service.Watch(health_pb2.HealthCheckRequest(), cast(Any, reader))
    )
    await asyncio.sleep(0)
    service.set("", SERVING)
    answer = await service.Check(health_pb2.HealthCheckRequest(), cast(Any, None))
    assert answer.status == SERVING
    service.drain()
    service.set("", SERVING)  # a model that was loaded meanwhile
    answer = await service.Check(health_pb2.HealthCheckRequest(), cast(Any, None))
    assert answer.status == NOT_SERVING
    reader.may_read.set()
    await asyncio.sleep(0.01)
    assert reader.read == [NOT_SERVING]  # as before: what was in between is of no use any more
    watching.cancel()


async def test_a_watched_name_that_is_too_long_is_refused(server: Server) -> None:
    async with grpc.aio.insecure_channel(server.address) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        watch = stub.Watch(health_pb2.HealthCheckRequest(service="x" * 1001), timeout=PATIENCE)
        assert await watch.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_the_list_has_the_health_of_every_service_and_model(server: Server) -> None:
    async with grpc.aio.insecure_channel(server.address) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        answer = await stub.List(health_pb2.HealthListRequest(), timeout=PATIENCE)  # type: ignore[attr-defined]
    names = ("", "sfumato.v1.StylizationService", "inference.GRPCInferenceService", "default")
    assert {name: each.status for name, each in answer.statuses.items()} == dict.fromkeys(
        names, SERVING
    )
