"""A real gRPC server on the loopback address, with a servicer that only pretends to paint."""

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from sfumato.client.messages import FROM_WIRE, TO_WIRE
from sfumato.errors import ImageError, StyleError
from sfumato.images.codec import decode_photo, encode_photo
from sfumato.v1 import stylization_service_pb2 as pb
from sfumato.v1 import stylization_service_pb2_grpc as rpc

STYLES = (
    pb.Style(
        id="munch-scream",
        title="Skrik",
        artist="Edvard Munch",
        year="1893",
        model="m",
        version=3,
        quality=pb.QualityCard(
            equals_iterations=210, style_loss=0.25, ssim=0.5, recognized=0.375, photos=8
        ),
    ),
    pb.Style(id="a", title="A long title", licence="CC0", model="m", version=3),
)


class PretendingServicer(rpc.StylizationServiceServicer):
    """Paints negatives.

    Attributes:
        requests: what was asked.
        failures: statuses to answer with, one per call, before anything else.
        pushback: milliseconds that a failing call tells to wait; None for nothing.
        metadata: what came along with the calls.
        arrivals: when the calls came, by ``time.monotonic()``.
        delay: seconds before an answer.
        most_at_once: the most calls that were running at the same time.
    """

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.failures: list[tuple[grpc.StatusCode, str]] = []
        self.pushback: int | None = None
        self.metadata: list[dict[str, Any]] = []
        self.arrivals: list[float] = []
        self.delay = 0.0
        self.most_at_once = 0
        self._running = 0
        self._lock = threading.Lock()

    def ListStyles(  # noqa: N802 - gRPC's name
        self, request: pb.ListStylesRequest, context: Any
    ) -> pb.ListStylesResponse:
        self._begin(request, context)
        return pb.ListStylesResponse(styles=STYLES)

    def Stylize(  # noqa: N802 - gRPC's name
        self, request: pb.StylizeRequest, context: Any
    ) -> pb.StylizeResponse:
        with self._lock:
            self._running += 1
            self.most_at_once = max(self.most_at_once, self._running)
        try:
            self._begin(request, context)
            return self._paint(request, context)
        finally:
            with self._lock:
                self._running -= 1

    def StylizeStream(  # noqa: N802 - gRPC's name
        self, request_iterator: Any, context: Any
    ) -> Any:
        self._begin(next(request_iterator), context)
        for message in request_iterator:
            yield pb.StylizeStreamResponse(
                frame_id=message.frame_id, painting=self._paint(message.frame, context)
            )

    def _begin(self, request: Any, context: Any) -> None:
        with self._lock:
            self.requests.append(request)
            self.arrivals.append(time.monotonic())
            self.metadata.append(dict(context.invocation_metadata()))
            failure = self.failures.pop(0) if self.failures else None
        time.sleep(self.delay)
        if failure:
            if self.pushback is not None:
                pushback = ("grpc-retry-pushback-ms", str(self.pushback))
                context.set_trailing_metadata((pushback,))
            context.abort(*failure)

    def _paint(self, request: pb.StylizeRequest, context: Any) -> pb.StylizeResponse:
        known = {style.id for style in STYLES}
        for style in request.styles:
            if style.style_id not in known:
                close = f"no style {style.style_id!r}; did you mean 'munch-scream'?"
                context.abort(grpc.StatusCode.NOT_FOUND, close)
        try:
            photo = decode_photo(request.image)
            wanted = FROM_WIRE.get(request.output_format, photo.format)
            image = encode_photo(255 - photo.rgb, format=wanted, alpha=photo.alpha)
        except (ImageError, StyleError) as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        height, width, _ = photo.rgb.shape
        return pb.StylizeResponse(
            image=image,
            format=TO_WIRE[wanted],
            width=width,
            height=height,
            model="m",
            version=request.version or 3,
            timings=pb.StageTimings(
                decode_ms=1, queue_ms=2, inference_ms=3, encode_ms=4, batch_size=5
            ),
        )


@dataclass
class RunningServer:
    """The server, where it listens, and its parts."""

    target: str
    servicer: PretendingServicer
    health: health.HealthServicer
    grpc_server: grpc.Server = field(repr=False)


def start_server(target: str = "127.0.0.1:0", max_bytes: int = 64 << 20) -> RunningServer:
    server = grpc.server(
        ThreadPoolExecutor(16),
        options=[
            ("grpc.max_receive_message_length", max_bytes),
            ("grpc.max_send_message_length", max_bytes),
            ("grpc.so_reuseport", 0),
        ],
    )
    servicer, checks = PretendingServicer(), health.HealthServicer()
    checks.set("", health_pb2.HealthCheckResponse.SERVING)
    rpc.add_StylizationServiceServicer_to_server(servicer, server)
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    port = server.add_insecure_port(target)
    server.start()
    return RunningServer(f"127.0.0.1:{port}", servicer, checks, server)


@pytest.fixture
def server() -> Iterator[RunningServer]:
    running = start_server()
    yield running
    running.grpc_server.stop(0).wait()


@pytest.fixture
def free_target() -> str:
    """An address at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"
