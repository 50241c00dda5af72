"""The port at which Prometheus fetches the metrics."""

import asyncio
import contextlib
import logging
import socket
import time
from socketserver import ThreadingMixIn
from threading import Lock, Thread
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    Info,
    PlatformCollector,
    ProcessCollector,
    make_wsgi_app,
)

from serving.errors import ConfigError
from serving.security.port import address_of
from sfumato import __version__

_log = logging.getLogger(__name__)

_MOST_CONNECTIONS: Final = 16
"""Each takes a thread and a descriptor, which gRPC needs for its own connections."""

_MOST_SECONDS: Final = 10.0
"""How long Prometheus waits for an answer, unless told otherwise."""

_PAUSE_SECONDS: Final = 0.1
"""After a connection could not be accepted because no descriptor is left."""


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
                _start, self._host, self.port, make_wsgi_app(self._registry)
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


class _BoundedServer(ThreadingMixIn, WSGIServer):
    """A thread for each connection, of which there are few and none for long."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], family: socket.AddressFamily) -> None:
        self.address_family = family
        self._since: dict[socket.socket, float] = {}
        self._changing = Lock()
        super().__init__(address, _SilentHandler)

    def get_request(self) -> Any:
        try:
            return super().get_request()
        except OSError:
            time.sleep(_PAUSE_SECONDS)  # the connection waits on, and would be tried at once
            raise

    def verify_request(self, _request: Any, _client: Any) -> bool:
        return len(self._since) < _MOST_CONNECTIONS  # otherwise it is closed

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._changing:
            self._since[request] = time.monotonic()
        super().process_request(request, client_address)

    def service_actions(self) -> None:
        """Ends what has taken too long, drop by drop or not at all; called twice a second."""
        super().service_actions()
        latest = time.monotonic() - _MOST_SECONDS
        with self._changing:  # so that nobody closes it now, and another gets its number
            for request in [one for one, since in self._since.items() if since < latest]:
                with contextlib.suppress(OSError):  # the client was faster
                    request.shutdown(socket.SHUT_RDWR)

    def shutdown_request(self, request: Any) -> None:
        with self._changing:
            self._since.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, _request: Any, _client: Any) -> None:
        _log.debug("a connection to the metrics broke", exc_info=True)


class _SilentHandler(WSGIRequestHandler):
    """Logs nothing."""

    raw_requestline: bytes

    def parse_request(self) -> bool:
        # What was ended in the middle of its first line would pass for HTTP/0.9.
        return self.raw_requestline.endswith(b"\n") and super().parse_request()

    def log_message(self, *_: object) -> None:
        pass


def _start(host: str, port: int, app: Any) -> tuple[WSGIServer, Thread]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, address = found[0]
    server = _BoundedServer((str(address[0]), port), family)
    server.set_app(app)
    thread = Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()
    return server, thread


def _stop(server: WSGIServer, thread: Thread) -> None:
    server.shutdown()
    server.server_close()
    thread.join()
