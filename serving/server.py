"""Puts the server together and takes it from starting over serving to a clean stop."""

import asyncio
import logging
import time
from functools import partial
from typing import Final, cast

import grpc
from grpc_health.v1 import health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

from serving.calls.admission import Admission
from serving.calls.call import Calls
from serving.calls.message_check import MessageCheck
from serving.calls.overload import Overload, most_calls
from serving.calls.router import Door, Methods
from serving.calls.streams import Streams
from serving.config import ServerConfig
from serving.device.cores import usable_cores
from serving.device.memory_limit import fitted, usable_memory
from serving.device.onnx_runtime import may_have_cuda, usual_batches_at_once
from serving.device.worker_threads import WorkerThreads
from serving.errors import ConfigError
from serving.models.live_models import LiveModels, OpenSession
from serving.monitoring.access_log import log_stream
from serving.monitoring.observability import Observability
from serving.monitoring.statistics import ModelStatistics
from serving.painting.batcher import Batcher
from serving.painting.stylizer import Stylizer
from serving.process import give_way
from serving.security.authorization import Authorization
from serving.security.port import address_of, open_port, warn_of_exposure
from serving.security.tokens import read_tokens, warn_if_empty
from serving.security.watched_files import WatchedFiles
from serving.wire.admin import ADMIN_SERVICE, AdminService
from serving.wire.engine import Engine
from serving.wire.health import (
    HEALTH,
    NOT_SERVING,
    OVERALL,
    SERVING,
    HealthService,
    tell_model_health,
)
from serving.wire.open_inference import OPEN_INFERENCE, OpenInferenceService
from serving.wire.stylization import SERVICE_NAME, StylizationService
from sfumato.files.atomic import write_file
from sfumato.inference.open_inference_pb2_grpc import add_GRPCInferenceServiceServicer_to_server
from sfumato.v1.admin_service_pb2_grpc import add_AdminServiceServicer_to_server
from sfumato.v1.stylization_service_pb2_grpc import add_StylizationServiceServicer_to_server

_log = logging.getLogger(__name__)

_KEEPALIVE: Final = (
    # A client that vanished without a word is found out, and its requests are dropped.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    # Clients behind load balancers ping to keep idle connections; gRPC's own limit is 5 minutes.
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
)
_WINDOW: Final = (
    # What a client may send of a message before we ask for it, per call or stream. By itself gRPC
    # lets that grow with the line, to tens of MiB on a fast one, and clients that do not read their
    # answers leave it in our memory (docs/video.md).
    ("grpc.http2.lookahead_bytes", 1 << 20),
    ("grpc.http2.bdp_probe", 0),
)
_SERVICES: Final = (SERVICE_NAME, OPEN_INFERENCE)
_MOST_CODEC_THREADS: Final = 8
_LAST_WORDS_SECONDS: Final = 0.5  # for answers on their way, and for streams that never end


class Server:
    """One server, from ``start`` to ``stop``; to be made in a running event loop."""

    def __init__(self, config: ServerConfig, *, open_session: OpenSession | None = None) -> None:
        """Prepares a server; of the files only the tokens are read before ``start``.

        Args:
            config: its settings.
            open_session: loads the network of a bundle; None for ONNX Runtime.

        Raises:
            ConfigError: the token file cannot be used, or what makes traces is not installed.
        """
        codecs, on_cpu = codec_threads(config), not may_have_cuda(config.device)
        self._config = config = fitted(config, usable_memory(), codecs=codecs, on_cpu=on_cpu)
        self._port = 0
        self._admission = Admission(config.max_queue_size)
        self._overload = Overload(self._admission)
        self._health = HealthService()
        at_once = config.batches_at_once or usual_batches_at_once(config.device)
        self._device = WorkerThreads(at_once, "device")
        self._codecs = WorkerThreads(codecs, "codec", give_way)
        self._models = LiveModels(config, self._device, open_session)
        repository = self._models.repository
        self._statistics = ModelStatistics(repository)
        self._observability = Observability(config, repository)
        self._calls = Calls([*self._observability.of_calls, self._statistics])
        self._streams = Streams(
            config.max_streams_per_client, config.max_download_seconds, self._calls, log_stream
        )
        self._batcher = Batcher(
            self._device,
            max_pixels=config.max_pixels,
            observers=[self._statistics, *self._observability.of_batches],
        )
        self._services = (*_SERVICES, ADMIN_SERVICE) if config.admin else _SERVICES
        self._grpc = grpc.aio.server(handlers=[self._methods()], options=_options(config))

    @property
    def address(self) -> str:
        """Where the server listens, once started: ``host:port``."""
        return address_of(self._config.host, self._port)

    @property
    def metrics_port(self) -> int:
        """Where the metrics are, once started; 0 without them."""
        return self._observability.metrics_port

    async def start(self) -> None:
        """Opens the port, loads and warms up the models, and then serves.

        Until the models are warm, health answers NOT_SERVING and other calls get UNAVAILABLE.

        Raises:
            ConfigError: a port cannot be opened, the files of TLS cannot be used, no model can
                be served, or a device that is demanded does not work.
        """
        try:
            await self._start()
        except BaseException:  # whoever starts it may also be out of patience
            await self._models.stay()
            await self._grpc.stop(0)
            await self._observability.close()
            self._models.close()
            self._end_threads(time.monotonic())
            raise

    async def stop(self) -> bool:
        """Refuses new requests, finishes the accepted ones, and closes the port.

        Returns:
            Whether everything was finished within the grace period. If not, a network may still
            be running on the device's thread, and only the end of the process stops it.
        """
        _log.info("stopping: %d requests to finish", self._admission.inside)
        end_of_grace = time.monotonic() + self._config.grace_seconds
        self._health.drain()
        self._admission.close("the server is shutting down; send the request to another one")
        await self._models.stay()
        self._batcher.hurry()
        # Clients are told at once (GOAWAY) and send their next calls elsewhere. What is inside goes
        # on; an earlier end is set below.
        leaving = asyncio.create_task(self._grpc.stop(self._config.grace_seconds))
        try:
            async with asyncio.timeout(self._config.grace_seconds):
                await self._admission.empty()
        except TimeoutError:
            _log.error("the grace period is over: %d requests cut off", self._admission.inside)
            await self._grpc.stop(0)
            await self._observability.close()
            return False
        await self._grpc.stop(_LAST_WORDS_SECONDS)
        await leaving
        await self._observability.close(end_of_grace - time.monotonic())
        self._models.close()
        # A network may still be at work on what was given up; it must not hold the end up.
        await asyncio.to_thread(self._end_threads, end_of_grace)
        _log.info("stopped")
        return True

    def _end_threads(self, until: float) -> None:
        for threads in (self._codecs, self._device):
            threads.shutdown(max(0.0, until - time.monotonic()))

    async def _start(self) -> None:
        _log.info("settings: %s", self._config.summary())
        warn_of_exposure(self._config)
        await self._observability.open(self._admission, self._batcher, self._streams)
        self._port = open_port(self._grpc, self._config)
        self._set_health(NOT_SERVING)
        await self._grpc.start()
        _log.info(
            "loading and warming up; device threads: %d, codec threads: %d",
            self._device.count,
            self._codecs.count,
        )
        await self._models.load()
        self._admission.open()
        self._set_health(SERVING)
        tell_model_health(self._health, self._models.repository, self._services)
        self._models.follow()
        _log.info("serving on %s", self.address)
        self._write_port_file()

    def _methods(self) -> Methods:
        config, repository, calls = self._config, self._models.repository, self._calls
        messages = MessageCheck(
            calls,
            max_upload_seconds=config.max_upload_seconds,
            max_download_seconds=config.max_download_seconds,
            overload=self._overload,
        )
        methods = Methods(_authorization(config), self._overload, messages, calls)
        server = cast(grpc.aio.Server, methods)
        engine = Engine(
            config=config,
            repository=repository,
            statistics=self._statistics,
            stylizer=Stylizer(
                repository, self._batcher, self._codecs, max_pixels=config.max_pixels
            ),
            admission=self._admission,
            calls=calls,
            streams=self._streams,
        )
        add_StylizationServiceServicer_to_server(StylizationService(engine), server)
        add_GRPCInferenceServiceServicer_to_server(OpenInferenceService(engine), server)
        if config.admin:
            add_AdminServiceServicer_to_server(AdminService(engine), server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        names = (*self._services, HEALTH, reflection.SERVICE_NAME)
        # The library takes a server that is not gRPC's own for one of threads.
        reflection_pb2_grpc.add_ServerReflectionServicer_to_server(  # type: ignore[no-untyped-call]
            reflection.aio.ReflectionServicer(names), server
        )
        return methods

    def _set_health(self, status: int) -> None:
        for name in (OVERALL, *self._services):
            self._health.set(name, status)

    def _write_port_file(self) -> None:
        path = self._config.port_file
        if path is not None:
            try:
                write_file(path, f"{self._port}\n".encode())
            except OSError as error:
                raise ConfigError(f"cannot write port_file {path}: {error.strerror}") from error


def codec_threads(config: ServerConfig) -> int:
    """Gives the number of threads that decode and encode: as set, or one a core, within reason."""
    return config.codec_threads or min(_MOST_CODEC_THREADS, usable_cores())


def _options(config: ServerConfig) -> list[tuple[str, int]]:
    seconds = config.max_connection_seconds
    age = [] if seconds is None else [("grpc.max_connection_age_ms", round(1000 * seconds))]
    return [
        ("grpc.max_receive_message_length", config.max_message_bytes),
        ("grpc.max_send_message_length", config.max_message_bytes),
        # Otherwise a second server on the same port would take half of the calls unnoticed.
        ("grpc.so_reuseport", 0),
        # A flood of calls on one connection would keep all others waiting. It is above what the
        # server lets in, as a client is to be refused, with the reason, rather than held back.
        ("grpc.max_concurrent_streams", 2 * most_calls(config.max_queue_size)),
        ("grpc.max_allowed_incoming_connections", config.max_connections),
        *age,
        *_KEEPALIVE,
        *_WINDOW,
    ]


def _authorization(config: ServerConfig) -> list[Door]:
    path = config.token_file
    if path is None:
        return []
    tokens = WatchedFiles([path], lambda: read_tokens(path), partial(warn_if_empty, path))
    if not tokens.content():
        raise ConfigError(f"token_file {path} holds no token; `python -m serving token` makes one")
    return [Authorization(tokens)]
