"""Health of single models: each is a service of its name."""

from collections.abc import Collection

from serving.models.repository import Repository
from serving.wire.health import NOT_SERVING, SERVING, HealthService


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
