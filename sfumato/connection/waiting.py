"""Says what a call waits for that gets no answer."""

import logging
from typing import Final

import grpc

from sfumato.connection.connection import Connection
from sfumato.terminal import printable

SOON_SECONDS: Final = 1.0
"""A call that has no answer after so long has the servers inspected, and says what it waits for."""

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

    def learn(self, error: grpc.RpcError | None, seconds: float) -> None:
        """Notes what an inspection has found, and says it.

        Args:
            error: why no server answers; None if one does.
            seconds: how long the call waits at most; 0 for any time.
        """
        if error is None:
            self.answered()
            return
        if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
            reason = f"no answer from {self._connection.target} yet"
        elif self._connection.wait_for_ready:
            self.obstacle = reason = str(self._connection.error(error, seconds))
        else:
            return  # the call fails by itself
        if not self._said:
            self._said = True
            most = f"for up to {seconds:g} s" if seconds else "for an answer"
            _log.warning("waiting %s: %s", most, printable(reason))
