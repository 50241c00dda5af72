"""Health of single models: each is a service of its name."""

from collections.abc import Collection

from serving.health_service import NOT_SERVING, SERVING, HealthService
from serving.repository import Repository


class ModelHealth:
    """Tells that a model is SERVING as long as one version of it is."""

    def __init__(
        self, service: HealthService, repository: Repository, reserved: Collection[str]
    ) -> None:
        """Tells about all models, and from now on about each change.

        Args:
            service: answers clients.
            repository: the models.
            reserved: names of services, which a model of the same name does not touch.
        """
        self._service = service
        self._repository = repository
        self._reserved = reserved
        for name in repository.names():
            self._tell(name)
        repository.on_change(self._tell)

    def _tell(self, name: str) -> None:
        if name not in self._reserved:
            is_served = any(model.name == name for model in self._repository)
            self._service.set(name, SERVING if is_served else NOT_SERVING)
