"""Finds the failure that the refusal of another address hides.

Of several addresses gRPC tells one failure only. Servers that listen on 127.0.0.1 refuse on [::1],
the other address of "localhost", so that a wrong certificate would look like no server at all.
"""

import time
from dataclasses import replace
from typing import Final

import grpc

from sfumato.call_errors import is_refusal
from sfumato.connection import Connection
from sfumato.line import LIVE_REQUEST, Line
from sfumato.targets import authority, each_address

_PATIENCE_SECONDS: Final = 1.0


def may_hide(error: grpc.RpcError, target: str) -> bool:
    """Tells whether ``error`` is a refusal of one of several addresses."""
    return is_refusal(error) and len(each_address(target)) > 1


def behind(error: grpc.RpcError, connection: Connection) -> grpc.RpcError:
    """Gives the failure that ``error`` hides, or else ``error``; asks each address by itself."""
    if not may_hide(error, connection.target):
        return error
    name = authority(connection.target) or connection.target
    anonymous = replace(connection, token="")
    lines = [Line(anonymous, address, name) for address in each_address(connection.target)]
    end = time.monotonic() + _PATIENCE_SECONDS
    calls = [line.live.future(LIVE_REQUEST, timeout=_PATIENCE_SECONDS) for line in lines]
    try:
        failures = [call.exception(max(0, end + 1 - time.monotonic())) for call in calls]
    except (grpc.FutureTimeoutError, grpc.FutureCancelledError):
        return error
    finally:
        for line in lines:
            line.channel.close()
    unavailable = grpc.StatusCode.UNAVAILABLE
    others = [
        failure
        for failure in failures
        if failure and failure.code() is unavailable and not is_refusal(failure)
    ]
    return others[0] if others else error
