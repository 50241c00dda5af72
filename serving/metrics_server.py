"""The port at which Prometheus fetches the metrics."""

import asyncio
import logging
from threading import Thread
from wsgiref.simple_server import WSGIServer

from prometheus_client import (
    GCCollector,
    Info,
    PlatformCollector,
    ProcessCollector,
    start_http_server,
)

from serving.batcher import Batcher
from serving.errors import ConfigError
from serving.live_metrics import LiveMetrics
from serving.metrics import Metrics
from serving.repository import Repository
from serving.streams import Streams
from sfumato import __version__

_log = logging.getLogger(__name__)


class MetricsServer:
    """Answers ``GET /metrics`` on threads of its own, apart from gRPC and its event loop.

    Attributes:
        port: where it listens, once open.
        metrics: the observer of calls and batches whose counts it tells.
    """

    def __init__(self, host: str, port: int, live: LiveMetrics) -> None:
        """Prepares the answers: what the observer counts, ``live``, the process and the build."""
        self._host = host
        self.port = port
        self._live = live
        self._running: tuple[WSGIServer, Thread] | None = None
        self.metrics = Metrics()
        registry = self.metrics.registry
        registry.register(live)
        Info("sfumato_build", "Version of the server.", registry=registry).info(
            {"version": __version__}
        )
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=registry)

    async def open(self) -> None:
        """Opens the port and answers from now on.

        Raises:
            ConfigError: the port cannot be opened.
        """
        try:
            # It looks the name of the host up, which may take a while.
            self._running = await asyncio.to_thread(
                start_http_server, self.port, self._host, self.metrics.registry
            )
        except OSError as error:
            raise ConfigError(
                f"cannot serve metrics on {self._host}, port {self.port}: "
                f"{error.strerror or error}; "
                "choose another --metrics-host or --metrics-port (0 takes a free port)"
            ) from error
        self.port = self._running[0].server_port
        host = f"[{self._host}]" if ":" in self._host else self._host
        _log.info("metrics on http://%s:%d/metrics", host, self.port)

    def watch(self, repository: Repository, batcher: Batcher, streams: Streams) -> None:
        """From now on these are told about, too."""
        self.metrics.watch(repository)
        self._live.watch(repository, batcher, streams)

    async def close(self) -> None:
        """Closes the port; an answer that is under way is finished."""
        if self._running:
            await asyncio.to_thread(_stop, *self._running)


def _stop(server: WSGIServer, thread: Thread) -> None:
    server.shutdown()
    server.server_close()
    thread.join()
