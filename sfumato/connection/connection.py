"""What the two clients share: where the server is and how it is called."""

import json
from dataclasses import dataclass, field

import grpc
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import Int32Value, StringValue

from sfumato.connection.address import DEFAULT_TARGET
from sfumato.connection.call_errors import SMALLER, CallErrors
from sfumato.connection.targets import authority, stays_here
from sfumato.connection.trace_context import trace_context
from sfumato.errors import ServiceError, SfumatoError

DEFAULT_TIMEOUT = 60.0
DEFAULT_MAX_MESSAGE_BYTES = 64 << 20

# grpc.health.v1.Health/Check. Its request is one string and its answer one enumeration, each in
# field 1, which is what these wrappers look like on the wire: no need for another dependency.
HEALTH_METHOD = "/grpc.health.v1.Health/Check"
HEALTH_SERVING = 1
HealthRequest = StringValue
HealthResponse = Int32Value

# Calls are spread over all addresses of the target.
# These methods only read, so each is safe to send again; a stream, or a call that changes the
# server, is not. Three more attempts take about a second, unless the server says when to try
# again: gRPC obeys its "grpc-retry-pushback-ms" (gRFC A6), and never tries again below zero.
_SERVICE_CONFIG = json.dumps(
    {
        "loadBalancingConfig": [{"round_robin": {}}],
        "methodConfig": [
            {
                "name": [
                    {"service": "sfumato.v1.StylizationService", "method": "Stylize"},
                    {"service": "sfumato.v1.StylizationService", "method": "ListStyles"},
                    {"service": "grpc.health.v1.Health", "method": "Check"},
                ],
                "retryPolicy": {
                    "maxAttempts": 4,
                    "initialBackoff": "0.2s",
                    "maxBackoff": "2s",
                    "backoffMultiplier": 2,
                    # A server that stops in the very moment in which a call arrives lets it see
                    # CANCELLED; what this client cancels itself is never tried again.
                    "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED", "CANCELLED"],
                },
            }
        ],
    }
)
# Routers forget a connection that is silent for some minutes, and tell neither end.
_KEEPALIVE = (
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),  # any number, not two
)
# A ping waits behind the photo that is being sent, on a slow line for a minute. Frames are smaller
# than photos, and nobody else looks whether the server of a stream hangs.
_PING_MS = (60_000, 60_000)
_PING_OF_STREAMS_MS = (10_000, 10_000)  # our servers allow no shorter interval
_RECONNECT = (
    # A server that is back is found within about so long; unless told, gRPC waits for two minutes.
    ("grpc.max_reconnect_backoff_ms", 5_000),
    # Time for one that accepts a connection to say something; unless told, 20 s.
    ("grpc.min_reconnect_backoff_ms", 10_000),
)


@dataclass(frozen=True)
class Connection:
    """Where the server is and how it is called.

    Attributes:
        target: address as gRPC takes it, such as "127.0.0.1:8001", or several with commas.
        timeout: seconds for a whole call: waiting, every attempt, and the answer.
        wait_for_ready: whether a call waits for a server that is not there yet.
        credentials: of TLS; None for plain text.
        max_message_bytes: the largest message, both ways.
        token: what the server knows the client by; empty for none.
        plain_text_token: whether the token may leave this machine without TLS.

    Raises:
        SfumatoError: the token could be read on its way, or has characters that no token has.
    """

    target: str = DEFAULT_TARGET
    timeout: float = DEFAULT_TIMEOUT
    wait_for_ready: bool = True
    credentials: grpc.ChannelCredentials | None = None
    max_message_bytes: int = DEFAULT_MAX_MESSAGE_BYTES
    token: str = field(default="", repr=False)
    plain_text_token: bool = False

    def __post_init__(self) -> None:
        """Checks that the token is safe to send."""
        if not self.token:
            return
        if not (self.token.isascii() and self.token.isprintable() and " " not in self.token):
            raise SfumatoError("the token has spaces, line ends or other characters of no token")
        if self.credentials or self.plain_text_token or stays_here(self.target):
            return
        raise SfumatoError(
            f"without TLS anybody on the way to {self.target} could read the token; use TLS, or "
            "allow a token in plain text"
        )

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What goes along with every call: the token, and the trace that the program is in.

        gRPC's own credentials for calls refuse plain text, even to this machine.
        """
        token = (("authorization", f"Bearer {self.token}"),) if self.token else ()
        return (*token, *trace_context())

    def channel_options(self, *, streams: bool = False) -> list[tuple[str, str | int]]:
        """Gives the options of a channel, for streams or for other calls."""
        name = authority(self.target)
        interval, timeout = _PING_OF_STREAMS_MS if streams else _PING_MS
        return [
            ("grpc.max_send_message_length", self.max_message_bytes),
            ("grpc.max_receive_message_length", self.max_message_bytes),
            ("grpc.service_config", _SERVICE_CONFIG),
            # A call that does not fit into this buffer (256 KiB, unless said) is not retried.
            ("grpc.per_rpc_retry_buffer_size", self.max_message_bytes + (1 << 16)),
            # A proxy cannot reach this machine's own loopback address.
            ("grpc.enable_http_proxy", int(not stays_here(self.target))),
            *([("grpc.default_authority", name)] if name else []),
            # Another channel to the same servers is a way out of connections that hang.
            ("grpc.use_local_subchannel_pool", 1),
            *_KEEPALIVE,
            ("grpc.keepalive_time_ms", interval),
            ("grpc.keepalive_timeout_ms", timeout),
            ("grpc.http2.ping_timeout_ms", timeout),  # which gRPC 1.85 obeys alone
            *_RECONNECT,
        ]

    def check_size(self, request: Message) -> None:
        """Raises ServiceError if ``request`` is too large; gRPC would try that several times."""
        size = request.ByteSize()
        if size > self.max_message_bytes:
            raise ServiceError(
                f"the message has {size:,} bytes, more than the {self.max_message_bytes:,} "
                f"allowed; {SMALLER}",
                grpc.StatusCode.RESOURCE_EXHAUSTED,
            )

    def error(
        self, error: grpc.RpcError, timeout: float, *, answered: bool = False, obstacle: str = ""
    ) -> ServiceError:
        """Turns gRPC's error into ours.

        Args:
            error: what gRPC raised.
            timeout: seconds that the call had; 0 for any number.
            answered: whether some frames of a stream were answered before.
            obstacle: why there was no connection, as far as it is known.
        """
        errors = CallErrors(
            self.target, self.wait_for_ready, bool(self.token), self.credentials is not None
        )
        return errors.explain(error, timeout, answered=answered, obstacle=obstacle)
