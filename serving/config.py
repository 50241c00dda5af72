"""The settings of one server and the ranges in which they make sense."""

import math
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from serving.batch_shape import BatchShape, read_batch_shapes
from serving.errors import ConfigError
from sfumato.connection.address import is_loopback

Device = Literal["auto", "cuda", "cpu"]
Precision = Literal["auto", "float32", "float16", "int8"]
LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["text", "json"]

MEBIBYTE = 1024 * 1024

_EVERY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - compared with, not opened

# (lowest, highest) value of each number. An unset (None) value is always allowed.
_RANGES: dict[str, tuple[float, float]] = {
    "port": (0, 65535),
    "metrics_port": (0, 65535),
    "intra_op_threads": (1, 1024),
    "batches_at_once": (1, 64),
    "codec_threads": (1, 1024),
    "max_message_bytes": (1024, 2**31 - 1),  # gRPC's own limit is a signed 32-bit number
    "max_pixels": (256, 2**31 - 1),  # 256: the smallest photo, 16 x 16
    "max_queue_size": (1, 1_000_000),
    "max_upload_seconds": (1, 86_400),
    "max_download_seconds": (1, 86_400),
    "max_stream_window": (1, 1024),
    "max_streams_per_client": (1, 1_000_000),
    "max_connections": (1, 2**31 - 2),  # gRPC takes the number above for no limit
    "max_connection_seconds": (1, 86_400),
    "max_batch_size": (1, 1024),
    "max_batch_delay_ms": (0, 60_000),
    "grace_seconds": (0, 86_400),
    "poll_seconds": (0, 86_400),
}


@dataclass(frozen=True)
class ModelConfig:
    """Settings of one model; what is unset is as for the server.

    Args:
        max_batch_size: Photos of the same size that run together.
        max_batch_delay_ms: Longest time in milliseconds that a photo waits for others.
        max_queue_size: Photos of each version inside the server at once, beside the limit for all.

    Raises:
        ConfigError: a number is out of its range.
    """

    max_batch_size: int | None = None
    max_batch_delay_ms: float | None = None
    max_queue_size: int | None = None

    def __post_init__(self) -> None:
        """Checks the ranges."""
        _check_ranges(self)


@dataclass(frozen=True)
class ServerConfig:
    """Settings of one server.

    Args:
        models: Model folder; holds <name>/<version>/ with one bundle each.
        poll_seconds: Time in seconds between two looks at the model folder for new, changed and
            vanished models, labels and styles; 0 never looks again after the start.
        admin: Whether clients may load and unload models and add styles.
        host: Address to listen on. The default can be reached from this machine only.
        port: TCP port to listen on; 0 takes a free one and logs which.
        port_file: File that receives the port as text once the server is ready.
        tls_cert: PEM file with the server's certificate chain; unset means plain text. A renewed
            file is used without a restart, as are those of tls_key and tls_client_ca.
        tls_key: PEM file with the private key of tls_cert, not encrypted.
        tls_client_ca: PEM file with certificates of authorities; a client must then show a
            certificate that one of them signed.
        token_file: File with the digests of the tokens that clients must send; unset means that
            everybody may call. A changed file is read again without a restart.
        device: Where the network runs; auto takes CUDA if it works and the CPU otherwise,
            cuda refuses to start without it.
        precision: Which of a bundle's networks to load. auto takes float16 on CUDA, int8 on a CPU
            with VNNI or AMX, and float32 elsewhere and where the bundle lacks it.
        batches_at_once: Batches that may run on the device at the same time; unset means one per
            core that the process may use, at most 4, on the CPU, and 1 on CUDA. A batch that
            is alone has all threads; those that are not divide them.
        intra_op_threads: Threads of ONNX Runtime; unset means every core that the process may
            use on the CPU and 1 on CUDA.
        cuda_options: Options of ONNX Runtime's CUDA provider by name, beside or instead of the
            server's own.
        cuda_graphs: Batches that CUDA replays as one graph each, width x height x photos with a
            comma between two, such as 512x512x1,512x512x8; unset means none. Each needs memory
            of its own, and batches_at_once must be 1.
        codec_threads: Threads that decode and encode photos; unset means as many as
            the cores that the process may use, at most 8.
        max_message_bytes: Largest message in bytes, both ways.
        max_pixels: Largest photo, largest batch of photos, and all batches that run at the same
            time together, in pixels.
        max_queue_size: Requests inside the server at once, from admission to the sent answer;
            a further one is refused with RESOURCE_EXHAUSTED.
        max_upload_seconds: How long the message of a call may be on its way in; one that takes
            longer is given up.
        max_download_seconds: How long an answer may wait for its client to take it; then the call,
            or the frames of the stream, lose their places.
        max_stream_window: Most frames of one stream inside the server at once.
        max_streams_per_client: Streams that one client may have open at once; a client is known
            by its token, or else by its address.
        max_connections: Connections at once; a further one is closed when it is made. Keep it below
            the number of files that the process may have open.
        max_connection_seconds: How long a client keeps its connection before it is asked to make
            a new one, and so to look servers up again; calls are not disturbed. Unset means for
            ever.
        max_batch_size: Photos of the same size that run together; unset means 1 on the CPU and
            8 on CUDA.
        max_batch_delay_ms: Longest time in milliseconds that a photo waits for others to fill
            its batch; never waits when batches hold one photo.
        per_model: Settings of single models, by their names.
        grace_seconds: Longest time in seconds that accepted requests may take to finish after
            SIGTERM or SIGINT.
        log_level: Least important messages that are logged.
        log_format: How a message is written: as a line of text, or as a JSON object.
        metrics_port: TCP port of the metrics for Prometheus; unset means none, 0 takes a free one
            and logs which.
        metrics_host: Address of that port. The default can be reached from this machine only.
        otlp_endpoint: OpenTelemetry collector that gets the traces, such as
            http://127.0.0.1:4317; unset means that none are made.

    Raises:
        ConfigError: a number is out of its range, or settings contradict each other.
    """

    models: Path = Path("models")
    poll_seconds: float = 0.5
    admin: bool = False
    host: str = "127.0.0.1"
    port: int = 8001
    port_file: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    tls_client_ca: Path | None = None
    token_file: Path | None = None
    device: Device = "auto"
    precision: Precision = "auto"
    batches_at_once: int | None = None
    intra_op_threads: int | None = None
    cuda_options: dict[str, str] = field(default_factory=dict)
    cuda_graphs: str | None = None
    codec_threads: int | None = None
    max_message_bytes: int = 64 * MEBIBYTE
    max_pixels: int = 24_000_000
    max_queue_size: int = 64
    max_upload_seconds: float = 60.0
    max_download_seconds: float = 60.0
    max_stream_window: int = 8
    max_streams_per_client: int = 8
    max_connections: int = 10_000
    max_connection_seconds: float | None = None
    max_batch_size: int | None = None
    max_batch_delay_ms: float = 2.0
    per_model: dict[str, ModelConfig] = field(default_factory=dict)
    grace_seconds: float = 30.0
    log_level: LogLevel = "info"
    log_format: LogFormat = "text"
    metrics_port: int | None = None
    metrics_host: str = "127.0.0.1"
    otlp_endpoint: str | None = None

    def __post_init__(self) -> None:
        """Checks the ranges, so that settings made in Python are checked like flags."""
        _check_ranges(self)
        for name in ("host", "metrics_host"):
            if not getattr(self, name):
                raise ConfigError(f"{name} must not be empty; 0.0.0.0 is every address")
        if self.port and self.port == self.metrics_port and self._is_one_host():
            raise ConfigError(f"port and metrics_port are both {self.port}; each needs its own")
        if self.port_file is not None and not self.port_file.name:
            raise ConfigError("port_file must name a file")
        if self.otlp_endpoint is not None:
            _check_endpoint(self.otlp_endpoint)
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ConfigError("tls_cert and tls_key belong together; give both or none")
        if self.tls_client_ca is not None and self.tls_cert is None:
            raise ConfigError("tls_client_ca needs tls_cert and tls_key: it is about TLS")
        self._check_graphs()
        if self.admin and self.token_file is None and not is_loopback(self.host):
            raise ConfigError(
                f"with admin on, anybody who reaches {self.host} could change the models; "
                "give a token_file, or listen on 127.0.0.1 only"
            )

    @property
    def replayed_batches(self) -> tuple[BatchShape, ...]:
        """What ``cuda_graphs`` says."""
        return read_batch_shapes(self.cuda_graphs) if self.cuda_graphs else ()

    def _is_one_host(self) -> bool:
        hosts = {self.host, self.metrics_host}
        return len(hosts) == 1 or not hosts.isdisjoint(_EVERY_ADDRESS)

    def _check_graphs(self) -> None:
        for shape in self.replayed_batches:
            if shape.pixels > self.max_pixels:
                raise ConfigError(
                    f"cuda_graphs has a batch of {shape.pixels:,} pixels, which is more than the "
                    f"{self.max_pixels:,} of max_pixels"
                )
        if self.cuda_graphs and (self.batches_at_once or 1) > 1:
            raise ConfigError("cuda_graphs needs batches_at_once 1: a graph belongs to one thread")

    def summary(self) -> str:
        """Gives all settings on one line. None of them is secret: secrets are in files."""
        return " ".join(f"{name}={_shown(getattr(self, name))}" for name in self.names())

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Names of all settings, in order."""
        return tuple(field.name for field in fields(cls))


def _check_endpoint(endpoint: str) -> None:
    try:
        url = urlsplit(endpoint)
        fits = url.scheme in {"http", "https"} and url.hostname and url.port and not url.username
    except ValueError:
        fits = False
    if not fits:
        # Not repeated: whoever has put a password into it does not want that on the screen.
        raise ConfigError(
            "otlp_endpoint must be like http://host:4317, or https://host:4317 for TLS; "
            "passwords belong into OTEL_EXPORTER_OTLP_HEADERS"
        )


def _shown(value: object) -> str:
    if value in (None, {}):
        return "unset"
    return repr(str(value)) if isinstance(value, str | Path) else str(value)


def _check_ranges(settings: "ServerConfig | ModelConfig") -> None:
    for name, (low, high) in _RANGES.items():
        value = getattr(settings, name, None)
        if value is not None and not (math.isfinite(value) and low <= value <= high):
            raise ConfigError(f"{name} must be between {low:,} and {high:,}, not {value}")
