"""What the two clients share: where the server is, how it is called, and what failures mean."""

import json
from dataclasses import dataclass

import grpc
from google.protobuf.wrappers_pb2 import Int32Value, StringValue

from sfumato.address import DEFAULT_TARGET
from sfumato.errors import ServiceError

DEFAULT_TIMEOUT = 60.0
DEFAULT_MAX_MESSAGE_BYTES = 64 << 20

# grpc.health.v1.Health/Check. Its request is one string and its answer one enumeration, each in
# field 1, which is what these wrappers look like on the wire: no need for another dependency.
HEALTH_METHOD = "/grpc.health.v1.Health/Check"
HEALTH_SERVING = 1
HealthRequest = StringValue
HealthResponse = Int32Value

# All methods only read, so each is safe to send again. Three more attempts take about a second.
_SERVICE_CONFIG = json.dumps(
    {
        "methodConfig": [
            {
                "name": [
                    {"service": "sfumato.v1.StylizationService"},
                    {"service": "grpc.health.v1.Health"},
                ],
                "retryPolicy": {
                    "maxAttempts": 4,
                    "initialBackoff": "0.2s",
                    "maxBackoff": "2s",
                    "backoffMultiplier": 2,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
        ]
    }
)
_LOOPBACK = ("127.", "localhost", "[::1]")
_NOT_CONNECTED = ("failed to connect", "resolving", "resolution failed")
_START = "`python -m serving --models models`"


@dataclass(frozen=True)
class Connection:
    """Where the server is and how it is called.

    Attributes:
        target: address as gRPC takes it, such as "127.0.0.1:8001".
        timeout: seconds for a whole call: waiting, every attempt, and the answer.
        wait_for_ready: whether a call waits for a server that is not there yet.
        credentials: of TLS, made by ``grpc.ssl_channel_credentials``; None for plain text.
        max_message_bytes: the largest message, both ways.
    """

    target: str = DEFAULT_TARGET
    timeout: float = DEFAULT_TIMEOUT
    wait_for_ready: bool = True
    credentials: grpc.ChannelCredentials | None = None
    max_message_bytes: int = DEFAULT_MAX_MESSAGE_BYTES

    def channel_options(self) -> list[tuple[str, str | int]]:
        """Gives the options of the channel."""
        return [
            ("grpc.max_send_message_length", self.max_message_bytes),
            ("grpc.max_receive_message_length", self.max_message_bytes),
            ("grpc.service_config", _SERVICE_CONFIG),
            # A call that does not fit into this buffer (256 KiB, unless said) is not retried.
            ("grpc.per_rpc_retry_buffer_size", self.max_message_bytes + (1 << 16)),
            # A proxy cannot reach this machine's own loopback address.
            ("grpc.enable_http_proxy", int(not self.target.startswith(_LOOPBACK))),
        ]

    def error(self, error: grpc.RpcError, timeout: float) -> ServiceError:
        """Turns gRPC's error into ours.

        Args:
            error: what gRPC raised.
            timeout: seconds that the call had.
        """
        code, details = error.code(), error.details() or ""
        return ServiceError(self._explain(code, details, timeout), code)

    def _explain(self, code: grpc.StatusCode, details: str, timeout: float) -> str:
        if code is grpc.StatusCode.UNAVAILABLE:
            return self._unavailable(details)
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            # gRPC does not say whether there was a connection.
            return (
                f"no answer from {self.target} within {timeout:g} s; "
                f"allow a longer timeout, or start a server there ({_START})"
            )
        if code is grpc.StatusCode.UNIMPLEMENTED:
            return f"the server at {self.target} is not a Sfumato server ({details})"
        if code is grpc.StatusCode.RESOURCE_EXHAUSTED and "larger than max" in details:
            return f"{details}; scale the photo down, or raise max_message_bytes at both ends"
        return details or f"the server at {self.target} answered {code.name}"

    def _unavailable(self, details: str) -> str:
        text = details.lower()
        if "refused" in text:
            return f"no server at {self.target} (start one with {_START})"
        if any(sign in text for sign in _NOT_CONNECTED):
            return f"cannot connect to {self.target}: {details}"
        return f"the server at {self.target} is not available: {details}"
