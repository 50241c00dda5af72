"""Each model has a health of its own, which follows what is served of it."""

from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from serving.server import Server
from sfumato.bundle.manifest import MODEL_FILE
from tests.serving.repositories import put
from tests.serving.running import health_of, running
from tests.serving.tiny_network import write_tiny_bundle


async def health(server: Server, model: str) -> str:
    async with grpc.aio.insecure_channel(server.address) as channel:
        return await health_of(channel, model)


async def test_each_model_has_a_health_of_its_own(root: Path) -> None:
    write_tiny_bundle(root / "broken" / "1")
    (root / "broken" / "1" / MODEL_FILE).write_bytes(b"")
    async with running(root, poll_seconds=0) as server:
        repository = server._models.repository
        assert await health(server, "default") == "SERVING"
        assert await health(server, "broken") == "NOT_SERVING"
        await repository.unload("default")
        assert await health(server, "default") == "NOT_SERVING"
        assert await health(server, "") == "SERVING"
        await repository.load("default")
        assert await health(server, "default") == "SERVING"


async def test_a_model_named_like_a_service_does_not_touch_its_health(root: Path) -> None:
    name = "sfumato.v1.StylizationService"
    put(root / name / "1")
    async with running(root, poll_seconds=0) as server:
        await server._models.repository.unload(name)
        assert await health(server, name) == "SERVING"


async def test_who_watches_a_model_sees_it_come_and_go(root: Path) -> None:
    async with (
        running(root, poll_seconds=0) as server,
        grpc.aio.insecure_channel(server.address) as channel,
    ):
        stub: Any = health_pb2_grpc.HealthStub(channel)
        watch = stub.Watch(health_pb2.HealthCheckRequest(service="default"))
        repository = server._models.repository
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
        await repository.unload("default")
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
        await repository.load("default")
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
        watch.cancel()
