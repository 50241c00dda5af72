"""Says what a call waits for that gets no answer."""

import logging
from typing import Final

import grpc

from sfumato.connection import Connection
from sfumato.terminal import printable

SOON_SECONDS: Final = 1.0
"""A call that has no answer after so long says what it waits for."""

_log = logging.getLogger(__name__)


class Waiting:
    """What the calls of a client wait for; said once, and again when it was over meanwhile."""

    def __init__(self, connection: Connection) -> None:
        """Begins as if nobody had to wait."""
        self._connection = connection
        self._said = False
        self.obstacle = ""
        """Why there is no connection, as far as it is known."""

    def answered(self) -> None:
        """Notes that the server answers."""
        self._said, self.obstacle = False, ""

    def learn(self, error: grpc.RpcError, seconds: float) -> None:
        """Notes what asking for the server has told, and says it.

        Args:
            error: how the asking ended; any word of the server shows that it lives.
            seconds: how long the call waits at most; 0 for any time.
        """
        if error.code() is grpc.StatusCode.UNAVAILABLE and self._connection.wait_for_ready:
            self.obstacle = reason = str(self._connection.error(error, SOON_SECONDS))
        elif error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
            reason = f"no answer from {self._connection.target} yet"
        else:
            return
        if not self._said:
            self._said = True
            most = f"for up to {seconds:g} s" if seconds else "for an answer"
            _log.warning("waiting %s: %s", most, printable(reason))
