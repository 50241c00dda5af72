"""What gRPC's errors mean, in words that say what to do."""

from dataclasses import dataclass
from typing import Any, Final

import grpc

from sfumato.connection.stream_ending import write_failed
from sfumato.errors import ServiceError

SMALLER: Final = "scale the photo down, or raise max_message_bytes at both ends"
_START: Final = "`python -m serving --models models`"
_ENDED_EARLY: Final = "the connection ended early"
_PUSHBACK: Final = "grpc-retry-pushback-ms"

# What follows are gRPC's words, as of 1.85.
_NOT_CONNECTED: Final = (
    "failed to connect",
    "connections to all backends",
    "resolving",
    "resolution",
)
_OBSTACLES: Final = {
    "certificate has expired": "its certificate has expired; its operator has to renew it",
    "certificate is not yet valid": "its certificate is not valid yet; check both clocks",
    "certificate_verify_failed": "its certificate is not of an authority that this client trusts",
    "hostname verification": "its certificate is for another name",
    "wrong_version_number": "it speaks no TLS",
    "timed out before receiving settings": "it says nothing; it may hang, or be no gRPC server",
    "settings frame": "it is no gRPC server; check host and port",
    "missing selected alpn": "it is no gRPC server; check host and port",
    "lookup failed": "its name cannot be looked up; check it, and the DNS of this machine",
}
_ENDED: Final = ("stream removed", "socket closed", "cancelling all calls")
"""How it begins to speak of calls whose connection or server ended before them."""

_DEADLINE: Final = ("deadline exceeded", "stream removed (deadline exceeded")
"""How it begins to speak of a deadline that has passed: of a call, and of a stream."""

_TURNED_AWAY: Final = "CANCELLED"
"""All that it says of a call that came to a server in the moment in which that stopped."""


@dataclass(frozen=True)
class CallErrors:
    """The errors of calls to one target.

    Attributes:
        target: where the server is.
        wait_for_ready: whether calls wait for a server that is not there yet.
        has_token: whether calls carry a token.
        has_tls: whether calls use TLS.
    """

    target: str
    wait_for_ready: bool
    has_token: bool
    has_tls: bool

    def explain(
        self, error: grpc.RpcError, timeout: float, *, answered: bool, obstacle: str
    ) -> ServiceError:
        """Turns gRPC's error into ours; see ``Connection.error``."""
        code, details = error.code(), error.details() or ""
        if write_failed(error):
            code, details = grpc.StatusCode.UNAVAILABLE, _ENDED_EARLY
        if code is grpc.StatusCode.CANCELLED and details == _TURNED_AWAY:
            code, details = grpc.StatusCode.UNAVAILABLE, "it is stopping; make the call again"
        if is_silence(error):
            message = self._too_late(timeout, answered, obstacle)
        else:
            message = self._explain(code, details)
        return ServiceError(message, code, _retry_after(error))

    def _too_late(self, timeout: float, answered: bool, obstacle: str) -> str:
        within = f"within {timeout:g} s" if timeout else "in time"
        if answered:
            return f"not all frames were painted by {self.target} {within}; allow a longer timeout"
        if obstacle:
            return f"{obstacle}; waited {timeout:g} s for it"
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
            mistake = "does not know this token" if self.has_token else "wants a token"
            return f"the server at {self.target} {mistake}; its operator has one"
        if code is grpc.StatusCode.UNIMPLEMENTED:
            return f"the server at {self.target} is not a Sfumato server ({details})"
        if code is grpc.StatusCode.RESOURCE_EXHAUSTED and "larger than max" in details:
            return f"{details}; {SMALLER}"
        return details or f"the server at {self.target} answered {code.name}"

    def _unavailable(self, details: str) -> str:
        text = details.lower()
        if _says_refused(text):
            return f"no server at {self.target} (start one with {_START})"
        if any(sign in text for sign in _NOT_CONNECTED):
            return f"cannot connect to {self.target}: {self._obstacle(text) or details}"
        reason = _ENDED_EARLY if text.startswith(_ENDED) else details
        return f"the server at {self.target} is not available: {reason}"

    def _obstacle(self, text: str) -> str | None:
        for sign, reason in _OBSTACLES.items():
            if sign in text:
                return reason
        if "socket closed" in text or "connection reset" in text:  # as if nobody were at home
            wanted = "a certificate of the client" if self.has_tls else "TLS"
            return (
                f"it closes the connection; it may demand {wanted}, or be a proxy or published "
                "port with no server behind it"
            )
        return None


def is_silence(error: grpc.RpcError) -> bool:
    """Tells whether a deadline passed here; a server that ends a call by itself says why."""
    details = error.details() or ""
    own = not details or details.lower().startswith(_DEADLINE)
    return error.code() is grpc.StatusCode.DEADLINE_EXCEEDED and own


def is_refusal(error: grpc.RpcError) -> bool:
    """Tells whether nobody listens at the address."""
    unavailable = error.code() is grpc.StatusCode.UNAVAILABLE
    return unavailable and _says_refused((error.details() or "").lower())


def _says_refused(text: str) -> bool:
    return "refused" in text or "error: no such file" in text  # of a socket of Unix


def _retry_after(error: grpc.RpcError) -> float | None:
    """Reads gRPC's pushback, which is negative if the call must not be made again."""
    trailing: Any = error.trailing_metadata() or ()
    try:
        milliseconds = int(dict(trailing)[_PUSHBACK])
    except (KeyError, ValueError):
        return None
    return milliseconds / 1000 if milliseconds >= 0 else None
