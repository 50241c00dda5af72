"""Who a call comes from: the name of its token, or its address."""

from contextvars import ContextVar
from typing import Any

import grpc

from serving.calls.caller import Caller

client_name: ContextVar[str] = ContextVar("client_name", default="")
"""Name of the token of the call that is being answered; empty without tokens."""


def client_of(context: grpc.aio.ServicerContext[Any, Any]) -> str:
    """Gives what limits per client are counted by: the token's name, or else the host.

    A host has no port here: a client could open any number of connections.
    """
    return client_name.get() or _host(context.peer())


def caller_of(context: grpc.aio.ServicerContext[Any, Any], token: str | None = None) -> Caller:
    """Gives who a call comes from.

    Args:
        context: of the call.
        token: name of its token, empty without tokens; None for that of the current task.
    """
    peer = context.peer()
    name = client_name.get() if token is None else token
    return Caller(name or _host(peer), peer)


def _host(peer: str) -> str:
    """Gives ``ipv4:127.0.0.1`` of ``ipv4:127.0.0.1:5000``."""
    return peer.rpartition(":")[0] or peer
