"""Asks each server of a client by itself when calls fail or wait, over connections of its own.

A server that hangs keeps its connections open, and gRPC goes on giving calls to them; a ping on
them would tell, but it waits behind the photo that is being sent, on a slow line for a minute. And
of several addresses gRPC tells one failure only: servers that listen on 127.0.0.1 refuse on [::1],
the other address of "localhost", so that a wrong certificate would look like no server at all.
"""

import math
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import grpc

from sfumato.connection.call_errors import is_refusal
from sfumato.connection.connection import Connection
from sfumato.connection.line import LIVE_REQUEST, Line
from sfumato.connection.targets import authority, each_address, plain_name

_PATIENCE_SECONDS: Final = 3.0
_SHORTEST_INTERVAL_SECONDS: Final = 8.0
_MEMORY_SECONDS: Final = 300.0  # longer than that ago, a server may have been well meanwhile

_NO_ANSWER: Final = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


class Inspector:
    """Knows which servers hang. It may be used from many threads."""

    def __init__(self, connection: Connection) -> None:
        """Begins as if all servers were well."""
        self._connection = connection
        self._lock = threading.Lock()
        self._began = -math.inf
        self._hanging: dict[str, float] = {}
        self._hung_since = -math.inf

    def is_due(self) -> bool:
        """Tells whether the caller shall inspect; nobody else need, for some seconds."""
        with self._lock:
            now = time.monotonic()
            due = now - self._began >= _SHORTEST_INTERVAL_SECONDS
            self._began = now if due else self._began
            return due

    def inspect(self) -> grpc.RpcError | None:
        """Asks all servers, which takes seconds where one hangs.

        Returns:
            Why there is no answer of any; None if one answers.
        """
        began = time.monotonic()
        failures = _failures(self._connection)
        hanging = {address for address, failure in failures.items() if _is_silent(failure)}
        alive = any(failure is None for failure in failures.values())
        with self._lock:
            known = {
                address: since
                for address, since in self._hanging.items()
                if address in hanging and began - since < _MEMORY_SECONDS
            }
            self._hanging = {address: known.get(address, began) for address in hanging}
            # Where none answers, there is nobody who could take calls over.
            self._hung_since = (
                max(self._hanging.values(), default=-math.inf) if alive else -math.inf
            )
        return None if alive else _most_telling(failures)

    def found_hanging(self, opened: float) -> bool:
        """Tells whether a line that was opened then may lead to a server that hangs since."""
        return opened < self._hung_since


def behind(error: grpc.RpcError, connection: Connection) -> grpc.RpcError:
    """Gives the failure that a refusal hides if ``error`` is one; takes a moment then."""
    if not is_refusal(error):
        return error
    failures = _failures(connection)
    telling = _most_telling(failures)
    return error if telling is None or _is_silent(telling) else telling


def _failures(connection: Connection) -> Mapping[str, grpc.RpcError | None]:
    """Asks at each address; None where a server answers, whatever it says."""
    addresses = each_address(connection.target)
    name = authority(connection.target) or plain_name(connection.target)
    anonymous = replace(connection, token="")
    own = name if len(addresses) > 1 else ""
    lines = {address: Line(anonymous, address, own) for address in addresses}
    calls = {
        address: line.live.future(LIVE_REQUEST, timeout=_PATIENCE_SECONDS)
        for address, line in lines.items()
    }
    failures = {address: call.exception() for address, call in calls.items()}
    for line in lines.values():
        line.channel.close()
    return {
        address: failure if failure is not None and failure.code() in _NO_ANSWER else None
        for address, failure in failures.items()
    }


def _most_telling(failures: Mapping[str, grpc.RpcError | None]) -> grpc.RpcError | None:
    """Gives a failure that says more than that nobody listens, or else any."""
    found = [failure for failure in failures.values() if failure is not None]
    return min(found, key=lambda error: (is_refusal(error), _is_silent(error)), default=None)


def _is_silent(failure: grpc.RpcError | None) -> bool:
    return failure is not None and failure.code() is grpc.StatusCode.DEADLINE_EXCEEDED
