"""What the clients send again, when, and what they never do; gRPC does it, so a real server."""

from collections.abc import Callable
from typing import Any

import grpc
import pytest

from sfumato.client.async_client import AsyncClient
from sfumato.client.client import Client
from sfumato.errors import ServiceError
from tests.sfumato.conftest import RunningServer
from tests.sfumato.image_files import encode, picture

PNG = encode(picture(), "PNG")
FULL = (grpc.StatusCode.RESOURCE_EXHAUSTED, "the server is full")
Paint = Callable[[], Any]


async def paint(server: RunningServer, kind: type[Client] | type[AsyncClient]) -> int:
    if kind is Client:
        with Client(server.target) as client:
            return client.stylize(PNG, "a").width
    async with AsyncClient(server.target) as other:
        return (await other.stylize(PNG, "a")).width


both = pytest.mark.parametrize("kind", [Client, AsyncClient])


@both
async def test_a_full_server_is_asked_again(server: RunningServer, kind: Any) -> None:
    server.servicer.failures = [FULL] * 2
    assert await paint(server, kind) == 48
    assert len(server.servicer.requests) == 3


@both
async def test_the_next_attempt_waits_as_long_as_the_server_says(
    server: RunningServer, kind: Any
) -> None:
    server.servicer.failures = [FULL]
    server.servicer.pushback = 1500  # far more than the client's own 0.2 s
    assert await paint(server, kind) == 48
    first, second = server.servicer.arrivals
    assert second - first >= 1.5


@both
async def test_a_server_that_says_never_is_not_asked_again(
    server: RunningServer, kind: Any
) -> None:
    server.servicer.failures = [FULL] * 2
    server.servicer.pushback = -1
    with pytest.raises(ServiceError, match="the server is full") as error:
        await paint(server, kind)
    assert error.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert len(server.servicer.requests) == 1


@both
@pytest.mark.parametrize(("pushback", "retry_after"), [(10, 0.01), (-1, None), (None, None)])
async def test_an_error_tells_when_the_server_wants_to_be_asked_again(
    server: RunningServer, kind: Any, pushback: int | None, retry_after: float | None
) -> None:
    server.servicer.failures = [FULL] * 9
    server.servicer.pushback = pushback
    with pytest.raises(ServiceError, match="the server is full") as error:
        await paint(server, kind)
    assert error.value.retry_after == retry_after


async def test_each_attempt_tells_which_one_it_is(server: RunningServer) -> None:
    server.servicer.failures = [FULL] * 2
    await paint(server, AsyncClient)
    attempts = [m.get("grpc-previous-rpc-attempts", "0") for m in server.servicer.metadata]
    assert attempts == ["0", "1", "2"]


async def test_the_deadline_ends_the_attempts(server: RunningServer) -> None:
    server.servicer.failures = [FULL] * 9
    server.servicer.pushback = 60_000
    async with AsyncClient(server.target) as client:
        with pytest.raises(ServiceError):
            await client.stylize(PNG, "a", timeout=1.0)
    assert len(server.servicer.requests) == 1


def test_a_stream_is_not_sent_again(server: RunningServer) -> None:
    from sfumato.connection.connection import Connection
    from sfumato.v1 import stylization_service_pb2 as pb
    from sfumato.v1.stylization_service_pb2_grpc import StylizationServiceStub

    server.servicer.failures = [(grpc.StatusCode.UNAVAILABLE, "draining")] * 2
    options = Connection(server.target).channel_options()
    with grpc.insecure_channel(server.target, options) as channel:
        frames = iter([pb.StylizeStreamRequest()])
        with pytest.raises(grpc.RpcError) as error:
            list(StylizationServiceStub(channel).StylizeStream(frames))
    assert error.value.code() is grpc.StatusCode.UNAVAILABLE
    assert len(server.servicer.requests) == 1
