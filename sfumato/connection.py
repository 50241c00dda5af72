"""What the two clients share: where the server is, how it is called, and what failures mean."""

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import grpc
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import Int32Value, StringValue

from sfumato.address import DEFAULT_TARGET
from sfumato.errors import ServiceError, SfumatoError
from sfumato.stream_ending import write_failed
from sfumato.targets import authority, stays_here
from sfumato.trace_context import trace_context

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
_PUSHBACK = "grpc-retry-pushback-ms"
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
_KEEPALIVE = (
    # Routers forget a connection that is silent for some minutes, and tell neither end.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),  # any number, not two
)
# A server that is back is found within about so long; unless told, gRPC waits up to two minutes.
_RECONNECT = (("grpc.max_reconnect_backoff_ms", 5_000),)
_NOT_CONNECTED = ("failed to connect", "connections to all backends", "resolving", "resolution")
_HANDSHAKES = {
    "certificate_verify_failed": "its certificate is not of an authority that this client trusts",
    "hostname verification": "its certificate is for another name",
    "wrong_version_number": "it speaks no TLS",
    "timed out before receiving settings": "it says nothing; it may hang, or be no gRPC server",
    "settings frame": "it is no gRPC server; check host and port",
    "missing selected alpn": "it is no gRPC server; check host and port",
    "lookup failed": "its name cannot be looked up; check it, and the DNS of this machine",
}
_ENDED = ("stream removed", "socket closed", "cancelling all calls")
"""How gRPC begins what it says of calls whose connection or server ended before them."""
_DEADLINE = ("deadline exceeded", "stream removed (deadline exceeded")
"""How gRPC begins what it says of a deadline that has passed: of a call, and of a stream."""

_TURNED_AWAY = "CANCELLED"
"""All that gRPC says of a call that came to a server in the moment in which that stopped."""

_ENDED_EARLY = "the connection ended early"
_SMALLER = "scale the photo down, or raise max_message_bytes at both ends"
_START = "`python -m serving --models models`"


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

    def channel_options(self) -> list[tuple[str, str | int]]:
        """Gives the options of the channel."""
        name = authority(self.target)
        return [
            ("grpc.max_send_message_length", self.max_message_bytes),
            ("grpc.max_receive_message_length", self.max_message_bytes),
            ("grpc.service_config", _SERVICE_CONFIG),
            # A call that does not fit into this buffer (256 KiB, unless said) is not retried.
            ("grpc.per_rpc_retry_buffer_size", self.max_message_bytes + (1 << 16)),
            # A proxy cannot reach this machine's own loopback address.
            ("grpc.enable_http_proxy", int(not stays_here(self.target))),
            *([("grpc.default_authority", name)] if name else []),
            *_KEEPALIVE,
            *_RECONNECT,
        ]

    def check_size(self, request: Message) -> None:
        """Raises ServiceError if ``request`` is too large; gRPC would try that several times."""
        size = request.ByteSize()
        if size > self.max_message_bytes:
            raise ServiceError(
                f"the message has {size:,} bytes, more than the {self.max_message_bytes:,} "
                f"allowed; {_SMALLER}",
                grpc.StatusCode.RESOURCE_EXHAUSTED,
            )

    def error(
        self, error: grpc.RpcError, timeout: float, *, answered: bool = False
    ) -> ServiceError:
        """Turns gRPC's error into ours.

        Args:
            error: what gRPC raised.
            timeout: seconds that the call had; 0 for any number.
            answered: whether some frames of a stream were answered before.
        """
        code, details = error.code(), error.details() or ""
        if write_failed(error):
            code, details = grpc.StatusCode.UNAVAILABLE, _ENDED_EARLY
        if code is grpc.StatusCode.CANCELLED and details == _TURNED_AWAY:
            code, details = grpc.StatusCode.UNAVAILABLE, "it is stopping; make the call again"
        if code is grpc.StatusCode.DEADLINE_EXCEEDED and _is_grpcs_own(details):
            message = self._too_late(timeout, answered)
        else:
            message = self._explain(code, details)
        return ServiceError(message, code, _retry_after(error))

    def _too_late(self, timeout: float, answered: bool) -> str:
        within = f"within {timeout:g} s" if timeout else "in time"
        if answered:
            return f"not all frames were painted by {self.target} {within}; allow a longer timeout"
        remedy = f"no answer from {self.target} {within}; allow a longer timeout, or "
        if timeout and self.wait_for_ready:
            # gRPC does not say whether there was a connection, nor why there was none.
            return (
                f"{remedy}check that a server is there ({_START}) and that both sides, or "
                "neither, use TLS"
            )
        return f"{remedy}start a server there ({_START})"

    def _explain(self, code: grpc.StatusCode, details: str) -> str:
        if code is grpc.StatusCode.UNAVAILABLE:
            return self._unavailable(details)
        if code is grpc.StatusCode.CANCELLED and "Channel closed" in details:
            return "the client was closed before the answer was there"
        if code is grpc.StatusCode.UNAUTHENTICATED:
            mistake = "does not know this token" if self.token else "wants a token"
            return f"the server at {self.target} {mistake}; its operator has one"
        if code is grpc.StatusCode.UNIMPLEMENTED:
            return f"the server at {self.target} is not a Sfumato server ({details})"
        if code is grpc.StatusCode.RESOURCE_EXHAUSTED and "larger than max" in details:
            return f"{details}; {_SMALLER}"
        return details or f"the server at {self.target} answered {code.name}"

    def _unavailable(self, details: str) -> str:
        text = details.lower()
        if "refused" in text or "no such file" in text:  # of a socket of Unix
            return f"no server at {self.target} (start one with {_START}{self._hint(text)})"
        if any(sign in text for sign in _NOT_CONNECTED):
            return f"cannot connect to {self.target}: {self._handshake(text) or details}"
        reason = _ENDED_EARLY if text.startswith(_ENDED) else details
        return f"the server at {self.target} is not available: {reason}"

    def _handshake(self, text: str) -> str | None:
        for sign, reason in _HANDSHAKES.items():
            if sign in text:
                return reason
        if "socket closed" in text or "connection reset" in text:  # as if nobody were at home
            wanted = "a certificate of the client" if self.credentials else "TLS"
            return (
                f"it closes the connection; it may demand {wanted}, or be a proxy or published "
                "port with no server behind it"
            )
        return None

    def _hint(self, text: str) -> str:
        """Gives a hint if a refusal may hide another failure.

        Of several addresses gRPC tells one failure only, and servers that listen on 127.0.0.1
        refuse on [::1], the other address of "localhost".
        """
        if "," in self.target:
            return "; if one runs, name it alone to learn what fails there"
        if "[::1]" in unquote(text) and "localhost" in self.target:
            return "; if one runs, name 127.0.0.1 to learn what fails there"
        return ""


def _is_grpcs_own(details: str) -> bool:
    """Tells whether a deadline passed here; a server that ends a call by itself says why."""
    return not details or details.lower().startswith(_DEADLINE)


def _retry_after(error: grpc.RpcError) -> float | None:
    """Reads gRPC's pushback, which is negative if the call must not be made again."""
    trailing: Any = error.trailing_metadata() or ()
    try:
        milliseconds = int(dict(trailing)[_PUSHBACK])
    except (KeyError, ValueError):
        return None
    return milliseconds / 1000 if milliseconds >= 0 else None
