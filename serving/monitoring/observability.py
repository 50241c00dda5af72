"""Whoever watches a server: the access log, and the metrics and traces that were asked for."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from serving.calls.admission import Admission
from serving.calls.call import CallObserver
from serving.calls.streams import Streams
from serving.config import ServerConfig
from serving.device.lane import BatchObserver
from serving.errors import ConfigError
from serving.models.repository import Repository
from serving.monitoring.access_log import AccessLog
from serving.painting.batcher import Batcher

if TYPE_CHECKING:  # nobody loads the libraries for what was not asked for
    from serving.monitoring.metrics import Metrics
    from serving.monitoring.metrics_server import MetricsServer
    from serving.monitoring.tracing import Traces

_LAST_TRACES_SECONDS: Final = 3.0


class Observability:
    """The observers of one server, from ``open`` to ``close``.

    Attributes:
        of_calls: who is told about calls.
        of_batches: who is told about batches.
    """

    def __init__(self, config: ServerConfig, repository: Repository) -> None:
        """Makes the observers of what is done with the models of ``repository``.

        Raises:
            ConfigError: traces are asked for, and OpenTelemetry is not installed or its variables
                are wrong.
        """
        self._config = config
        self._repository = repository
        self._metrics = _metrics(config, repository)
        self._metrics_server: MetricsServer | None = None
        self._traces = _traces(config)
        counting = [self._metrics] if self._metrics else []
        self.of_batches: Sequence[BatchObserver] = counting
        # The log comes last: it names the trace.
        self.of_calls: Sequence[CallObserver] = [
            *([self._traces] if self._traces else []),
            *counting,
            AccessLog(),
        ]

    @property
    def metrics_port(self) -> int:
        """Where the metrics are, once open; 0 without them."""
        return self._metrics_server.port if self._metrics_server else 0

    async def open(self, admission: Admission, batcher: Batcher, streams: Streams) -> None:
        """Opens the port of the metrics, which also tell how these stand.

        Raises:
            ConfigError: the port cannot be opened.
        """
        config = self._config
        if self._metrics is None or config.metrics_port is None:
            return
        from serving.monitoring.live_metrics import LiveMetrics
        from serving.monitoring.metrics_server import MetricsServer

        registry = self._metrics.registry
        registry.register(LiveMetrics(self._repository, admission, batcher, streams))
        self._metrics_server = MetricsServer(config.metrics_host, config.metrics_port, registry)
        await self._metrics_server.open()

    async def close(self, grace_seconds: float = 0.0) -> None:
        """Delivers the last traces within ``grace_seconds``; closes the port of the metrics."""
        if self._traces:
            await self._traces.close(min(grace_seconds, _LAST_TRACES_SECONDS))
        if self._metrics_server:
            await self._metrics_server.close()


def _metrics(config: ServerConfig, repository: Repository) -> "Metrics | None":
    if config.metrics_port is None:
        return None
    from serving.monitoring.metrics import Metrics

    return Metrics(repository)


def _traces(config: ServerConfig) -> "Traces | None":
    if config.otlp_endpoint is None:
        return None
    try:
        from serving.monitoring.tracing import Traces
    except ModuleNotFoundError as error:
        raise ConfigError(
            "--otlp-endpoint needs OpenTelemetry, which is not installed: `make tracing` in a "
            "checkout, else pip install '.[serving,tracing]'"
        ) from error
    try:
        return Traces.to_collector(config.otlp_endpoint)
    except Exception as error:  # whatever the library thinks of its variables
        raise ConfigError(f"a variable of OpenTelemetry (OTEL_*) is wrong: {error}") from error
