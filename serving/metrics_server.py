"""The port at which Prometheus fetches the metrics."""

import asyncio
import logging
from threading import Thread
from wsgiref.simple_server import WSGIServer

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    Info,
    PlatformCollector,
    ProcessCollector,
    start_http_server,
)

from serving.errors import ConfigError
from serving.port import address_of
from sfumato import __version__

_log = logging.getLogger(__name__)


class MetricsServer:
    """Answers ``GET /metrics`` on threads of its own, apart from gRPC and its event loop.

    Attributes:
        port: where it listens, once open.
    """

    def __init__(self, host: str, port: int, registry: CollectorRegistry) -> None:
        """Adds the process and the build to ``registry``, and is going to answer what is in it."""
        self._host = host
        self.port = port
        self._registry = registry
        self._running: tuple[WSGIServer, Thread] | None = None
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
                start_http_server, self.port, self._host, self._registry
            )
        except (OSError, UnicodeError) as error:  # the latter of a name that none can be
            raise ConfigError(
                f"cannot serve metrics on {self._host}, port {self.port}: "
                f"{getattr(error, 'strerror', None) or error}; "
                "choose another --metrics-host or --metrics-port (0 takes a free port)"
            ) from error
        self.port = self._running[0].server_port
        _log.info("metrics on http://%s/metrics", address_of(self._host, self.port))

    async def close(self) -> None:
        """Closes the port; an answer that is under way is finished."""
        if self._running:
            await asyncio.to_thread(_stop, *self._running)


def _stop(server: WSGIServer, thread: Thread) -> None:
    server.shutdown()
    server.server_close()
    thread.join()
