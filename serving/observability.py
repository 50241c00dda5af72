"""Whoever watches a server: the access log, and the metrics and traces that were asked for."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from serving.access_log import AccessLog
from serving.admission import Admission
from serving.batcher import Batcher
from serving.call import CallObserver
from serving.config import ServerConfig
from serving.errors import ConfigError
from serving.lane import BatchObserver
from serving.repository import Repository
from serving.streams import Streams

if TYPE_CHECKING:  # nobody loads the libraries for what was not asked for
    from serving.metrics_server import MetricsServer
    from serving.tracing import Traces

_LAST_TRACES_SECONDS: Final = 3.0


class Observability:
    """The observers of one server, from ``open`` to ``close``.

    Attributes:
        of_calls: who is told about calls.
        of_batches: who is told about batches.
    """

    def __init__(self, config: ServerConfig, admission: Admission) -> None:
        """Makes the observers; to be done in a running event loop.

        Raises:
            ConfigError: traces are asked for, and OpenTelemetry is not installed or its variables
                are wrong.
        """
        self._metrics = _metrics(config, admission)
        self._traces = _traces(config)
        counting = [self._metrics.metrics] if self._metrics else []
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
        return self._metrics.port if self._metrics else 0

    async def open(self) -> None:
        """Opens the port of the metrics. Raises ConfigError if that cannot be done."""
        if self._metrics:
            await self._metrics.open()

    def watch(self, repository: Repository, batcher: Batcher, streams: Streams) -> None:
        """Tells what there is to look at once the models are loaded."""
        if self._metrics:
            self._metrics.watch(repository, batcher, streams)

    async def close(self, grace_seconds: float = 0.0) -> None:
        """Delivers the last traces within ``grace_seconds``; closes the port of the metrics."""
        if self._traces:
            await self._traces.close(min(grace_seconds, _LAST_TRACES_SECONDS))
        if self._metrics:
            await self._metrics.close()


def _metrics(config: ServerConfig, admission: Admission) -> "MetricsServer | None":
    if config.metrics_port is None:
        return None
    from serving.live_metrics import LiveMetrics
    from serving.metrics_server import MetricsServer

    live = LiveMetrics(admission, config.precision)
    return MetricsServer(config.metrics_host, config.metrics_port, live)


def _traces(config: ServerConfig) -> "Traces | None":
    if config.otlp_endpoint is None:
        return None
    try:
        from serving.tracing import Traces
    except ModuleNotFoundError as error:
        raise ConfigError(
            "--otlp-endpoint needs OpenTelemetry, which is not installed: "
            "pip install '.[serving,tracing]'"
        ) from error
    try:
        return Traces.to_collector(config.otlp_endpoint)
    except Exception as error:  # whatever the library thinks of its variables
        raise ConfigError(f"a variable of OpenTelemetry (OTEL_*) is wrong: {error}") from error
