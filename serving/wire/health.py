"""grpc.health.v1: whether the server, and each of its services and models, is serving."""

import asyncio
from collections.abc import Collection
from typing import Any, Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from serving.calls.call import Context
from serving.calls.client_text import quoted
from serving.models.repository import Repository

SERVING: Final = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING: Final = health_pb2.HealthCheckResponse.NOT_SERVING
_UNKNOWN: Final = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN

OVERALL: Final = ""
"""Name of the server as a whole."""

HEALTH: Final = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name

_LONGEST_NAME: Final = 1000  # a stream that watches a name keeps it


class HealthService(health_pb2_grpc.HealthServicer):
    """Answers Check, List and Watch. For the event loop's thread only.

    The servicer of grpcio-health-checking writes to those who watch while it holds the lock that
    every change of a status needs. So one of them that reads nothing would keep a server from
    starting, and from draining.
    """

    def __init__(self) -> None:
        """Knows no service."""
        self._statuses: dict[str, int] = {}
        self._changed = asyncio.Event()
        self._is_draining = False

    def set(self, service: str, status: int) -> None:
        """Says how a service stands; while draining, nothing serves any more."""
        self._statuses[service] = NOT_SERVING if self._is_draining else status
        self._changed.set()
        self._changed = asyncio.Event()

    def drain(self) -> None:
        """Says that nothing serves, from now on."""
        self._is_draining = True
        for service in self._statuses:
            self.set(service, NOT_SERVING)

    # The names of the methods are the protocol's.
    # ruff: noqa: N802

    async def Check(
        self, request: health_pb2.HealthCheckRequest, context: Context
    ) -> health_pb2.HealthCheckResponse:
        """Tells how a service stands now."""
        if request.service not in self._statuses:
            await context.abort(
                grpc.StatusCode.NOT_FOUND, f"no service or model {quoted(request.service)}"
            )
        return health_pb2.HealthCheckResponse(status=self._statuses[request.service])

    async def List(self, _request: Any, _context: Context) -> Any:  # the stubs' types lack it
        """Tells how all services stand now."""
        answer: Any = health_pb2.HealthListResponse()  # type: ignore[attr-defined]
        for service, status in self._statuses.items():
            answer.statuses[service].status = status
        return answer

    async def Watch(  # a coroutine, not a generator: it ends at once when it is cancelled
        self, request: health_pb2.HealthCheckRequest, context: Context
    ) -> None:
        """Tells how a service stands, and again whenever that changes."""
        service, told = request.service, None
        if len(service) > _LONGEST_NAME:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "no service has so long a name")
        while True:
            changed = self._changed
            status = self._statuses.get(service, _UNKNOWN)
            if status != told:
                await context.write(health_pb2.HealthCheckResponse(status=status))
                told = status
            await changed.wait()


def tell_model_health(
    service: HealthService, repository: Repository, reserved: Collection[str]
) -> None:
    """Tells, now and after each change, that a model is SERVING if one version of it is.

    Args:
        service: answers clients.
        repository: the models.
        reserved: names of services, which a model of the same name does not touch.
    """

    def tell(name: str) -> None:
        if name not in reserved:
            is_served = any(model.name == name for model in repository)
            service.set(name, SERVING if is_served else NOT_SERVING)

    for name in repository.names():
        tell(name)
    repository.on_change(tell)
