"""Health of single models: each is a service of its name."""

import asyncio
from collections.abc import Collection
from typing import Final

from grpc_health.v1 import health, health_pb2

from serving.repository import Repository

_SERVING: Final = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING: Final = health_pb2.HealthCheckResponse.NOT_SERVING


class ModelHealth:
    """Tells that a model is SERVING as long as one version of it is."""

    def __init__(
        self,
        servicer: health.aio.HealthServicer,
        repository: Repository,
        reserved: Collection[str],
    ) -> None:
        """Tells nothing before ``start``.

        Args:
            servicer: answers clients.
            repository: the models.
            reserved: names of services, which a model of the same name does not touch.
        """
        self._servicer = servicer
        self._repository = repository
        self._reserved = reserved
        self._telling: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Tells about all models, and from now on about each change."""
        for name in self._repository.names():
            await self._tell(name)
        self._repository.on_change(self._on_change)

    def _on_change(self, name: str) -> None:
        # Not awaited: a client that watches and does not read would hold up the repository.
        task = asyncio.create_task(self._tell(name))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _tell(self, name: str) -> None:
        if name not in self._reserved:
            is_served = any(model.name == name for model in self._repository)
            await self._servicer.set(name, _SERVING if is_served else _NOT_SERVING)
